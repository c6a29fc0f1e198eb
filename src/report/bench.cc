#include "edgewright/profile.h"
#include "report/document.h"
#include "report/energy_figures.h"

namespace edgewright {

namespace {

Json mix_json(const MixReport& mix) {
  Json segments = Json::array();
  for (const MixSegment& segment : mix.segments) {
    segments.push_back({{"backend", segment.backend},
                        {"first", segment.first},
                        {"last", segment.last},
                        {"nodes", segment.nodes},
                        {"time_us", number(segment.time_us)}});
  }
  return {{"segments", std::move(segments)}, {"predicted_us", number(mix.predicted_us)},
          {"alone_us", mix.alone_us},        {"transitions", mix.transitions},
          {"bytes_moved", mix.bytes_moved},  {"notes", mix.notes}};
}

}  // namespace

std::string to_json(const BenchReport& report) {
  Json json = document("bench", report.passed, report.warnings);
  json["backend"] = report.backend;
  json["threads"] = report.threads;
  json["runs"] = report.runs;
  json["latency_us"] = {{"min", report.latency_us.min},
                        {"median", report.latency_us.median},
                        {"p90", number_or_null(report.latency_us.p90)},
                        {"p99", number_or_null(report.latency_us.p99)}};
  json["throughput_per_s"] = report.throughput_per_s;
  json["load_us"] = report.load_us;
  json["first_inference_us"] = report.first_inference_us;
  json["peak_rss_bytes"] = report.peak_rss_bytes;
  json["arena_bytes"] = report.arena_bytes;
  json["live_set_bytes"] = report.live_set_bytes;
  add_energy(report.energy, "energy_mj_per_inference", json);
  if (report.mix) json["mix"] = mix_json(*report.mix);
  return finish_document(json);
}

}  // namespace edgewright
