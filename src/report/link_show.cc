#include "edgewright/split.h"
#include "report/document.h"

namespace edgewright {
namespace {

Json delay_json(const LinkDelayReport& delay) {
  return {{"size_bytes", delay.size_bytes},
          {"total_ms", delay.total_ms},
          {"propagation_ms", delay.propagation_ms},
          {"access_ms", delay.access_ms},
          {"transmission_ms", delay.transmission_ms},
          {"queueing_ms", delay.queueing_ms},
          {"processing_ms", delay.processing_ms},
          {"p50_ms", delay.p50_ms},
          {"p90_ms", delay.p90_ms},
          {"p99_ms", delay.p99_ms},
          {"energy_mj", delay.energy_mj}};
}

}  // namespace

std::string to_json(const LinkReport& report) {
  Json json = document("link show", true, report.warnings);
  json["name"] = report.name;
  json["summary"] = report.summary;
  json["source"] = report.source;
  json["notes"] = report.notes;
  json["uplink_mbit_s"] = report.uplink_mbit_s;
  json["downlink_mbit_s"] = report.downlink_mbit_s;
  json["round_trip_ms"] = report.round_trip_ms;
  for (const auto& [name, value] : report.uplink_factors) json["uplink_factors"][name] = value;
  json["send"] = delay_json(report.send);
  json["receive"] = delay_json(report.receive);
  return finish_document(json);
}

}  // namespace edgewright
