#include "edgewright/device.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const DeviceProbeReport& report) {
  Json json = document("device-probe", report.passed, report.warnings);
  json["cpu"] = report.cpu;
  json["features"] = report.features;
  json["topology"] = {{"packages", report.packages},
                      {"cores", report.cores},
                      {"cpus", report.cpus},
                      {"numa_nodes", report.numa_nodes},
                      {"memory_bytes", report.memory_bytes}};
  json["caches"] = Json::array();
  for (const ProbeCache& cache : report.caches) {
    json["caches"].push_back({{"level", cache.level},
                              {"size_bytes", cache.size_bytes},
                              {"line_bytes", cache.line_bytes},
                              {"count", cache.count},
                              {"shared_by_cpus", cache.shared_by_cpus}});
  }
  json["roofs"] = Json::object();
  for (const ProbeFigure& figure : report.figures) {
    json["roofs"][figure.group][figure.name] = {
        {"value", figure.value}, {"spread", figure.spread}, {"source", "measured"}};
  }
  json["scaling"] = Json::array();
  for (const ProbeScaling& row : report.scaling) {
    json["scaling"].push_back(
        {{"threads", row.threads}, {"gop_s", row.gop_s}, {"read_gb_s", row.read_gb_s}});
  }
  json["largest_compute_spread"] = report.largest_compute_spread;
  json["largest_memory_spread"] = report.largest_memory_spread;
  if (report.timed_layers > 0) {
    json["layer_times"] = {{"layers", report.timed_layers},
                           {"error_median", report.prediction_error_median},
                           {"error_p90", report.prediction_error_p90},
                           {"far_error_median", report.far_error_median},
                           {"far_error_p90", report.far_error_p90}};
  }
  if (!report.output.empty()) json["output"] = report.output;
  return finish_document(json);
}

}  // namespace edgewright
