#include "edgewright/profile.h"
#include "report/document.h"
#include "report/energy_figures.h"

namespace edgewright {

std::string to_json(const BenchReport& report) {
  Json json = document("bench", report.passed, report.warnings);
  json["backend"] = report.backend;
  json["threads"] = report.threads;
  json["runs"] = report.runs;
  json["latency_us"] = {{"min", report.latency_us.min},
                        {"median", report.latency_us.median},
                        {"p90", report.latency_us.p90},
                        {"p99", report.latency_us.p99}};
  json["throughput_per_s"] = report.throughput_per_s;
  json["load_us"] = report.load_us;
  json["first_inference_us"] = report.first_inference_us;
  json["peak_rss_bytes"] = report.peak_rss_bytes;
  json["arena_bytes"] = report.arena_bytes;
  json["live_set_bytes"] = report.live_set_bytes;
  add_energy(report.energy, "energy_mj_per_inference", json);
  return finish_document(json);
}

}  // namespace edgewright
