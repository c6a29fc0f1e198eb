#include "edgewright/split.h"
#include "report/document.h"

namespace edgewright {
namespace {

Json cut_json(const SplitCut& cut) {
  Json json;
  json["cut"] = cut.cut;
  json["latency_us"] = cut.latency_us;
  json["bottleneck_us"] = cut.bottleneck_us;
  json["tier_us"] = cut.tier_us;
  json["hop_us"] = cut.hop_us;
  json["sent_bytes"] = cut.sent_bytes;
  json["sent_tensors"] = cut.sent_tensors;
  json["device_weight_bytes"] = cut.device_weight_bytes;
  json["device_energy_mj"] = cut.device_energy_mj;
  json["price"] = cut.price;
  if (cut.percentiles) {
    json["percentiles"] = {{"mean_us", cut.percentiles->mean_us},
                           {"p50_us", cut.percentiles->p50_us},
                           {"p90_us", cut.percentiles->p90_us},
                           {"p95_us", cut.percentiles->p95_us},
                           {"p99_us", cut.percentiles->p99_us}};
  }
  json["broken_limits"] = cut.broken_limits;
  return json;
}

Json runner_up_json(const SplitReport& report) {
  if (!report.runner_up) return nullptr;
  Json json = cut_json(*report.runner_up);
  json["costs_more_us"] = report.runner_up->latency_us - report.best.latency_us;
  return json;
}

Json codec_json(const SplitCodecFigures& row) {
  return {{"codec", row.codec},
          {"cut", row.cut},
          {"latency_us", row.latency_us},
          {"sent_bytes", row.sent_bytes},
          {"agreement", row.agreement ? Json(*row.agreement) : Json()},
          {"relative_l2", row.relative_l2},
          {"output_relative_l2", row.output_relative_l2},
          {"samples", row.samples},
          {"keeps_floor", row.keeps_floor}};
}

Json map_json(const SplitMap& map) {
  return {{"bandwidth_mbit_s", map.bandwidth_mbit_s},
          {"latency_ms", map.latency_ms},
          {"cuts", map.cuts},
          {"latency_us", map.latency_us}};
}

}  // namespace

std::string to_json(const SplitReport& report) {
  Json json = document("split plan", report.passed, report.warnings);
  json["cut"] = report.best.cut;
  json["latency_us"] = report.best.latency_us;
  json["codec"] = report.codec;
  json["codecs"] = Json::array();
  for (const SplitCodecFigures& row : report.codecs) json["codecs"].push_back(codec_json(row));
  json["objective"] = report.objective;
  json["exact"] = report.is_exact;
  json["lower_bound_us"] = report.lower_bound_us;
  json["best"] = cut_json(report.best);
  json["runner_up"] = runner_up_json(report);
  json["all_on_device"] = cut_json(report.all_on_device);
  json["all_on_server"] = cut_json(report.all_on_server);
  for (const auto& [name, cut] : report.heuristics) json["heuristics"][name] = cut_json(cut);
  json["crossings"] = Json::array();
  for (const SplitCrossing& crossing : report.crossings) {
    json["crossings"].push_back({{"bandwidth_mbit_s", crossing.bandwidth_mbit_s},
                                 {"from", crossing.from},
                                 {"to", crossing.to}});
  }
  if (report.map) json["map"] = map_json(*report.map);
  json["assumptions"] = report.assumptions;
  json["files"] = report.files;
  return finish_document(json);
}

}  // namespace edgewright
