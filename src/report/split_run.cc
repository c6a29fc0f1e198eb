#include "edgewright/serve.h"
#include "report/document.h"

namespace edgewright {
namespace {

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json cut_json(const SplitRunCut& cut) {
  return {{"cut", cut.cut},
          {"codec", cut.codec},
          {"agreement", cut.agreement},
          {"relative_l2", cut.relative_l2},
          {"output_relative_l2", cut.output_relative_l2},
          {"measured_samples", cut.measured_samples},
          {"server_model", cut.server_model},
          {"device_us", cut.device_us},
          {"rest_us", cut.rest_us},
          {"server_us", cut.server_us},
          {"sent_bytes", cut.sent_bytes},
          {"result_bytes", cut.result_bytes},
          {"planned_us", cut.planned_us},
          {"planned_per_s", cut.planned_per_s},
          {"measured_us", optional_json(cut.measured_us)},
          {"requests", cut.requests}};
}

}  // namespace

std::string to_json(const SplitRunReport& report) {
  Json json = document("split run", report.passed, report.warnings);
  json["cut"] = report.cut;
  json["codec"] = report.codec;
  json["latency_us"] = report.latency_us;
  json["p90_us"] = number_or_null(report.p90_us);
  json["p99_us"] = number_or_null(report.p99_us);
  json["throughput_per_s"] = report.throughput_per_s;
  json["requests"] = report.requests;
  json["answered_by_server"] = report.answered_by_server;
  json["answered_by_device"] = report.answered_by_device;
  json["resumed_on_device"] = report.resumed_on_device;
  json["failed"] = report.failed;
  json["late"] = report.late;
  json["retried"] = report.retried;
  json["dropped_answers"] = report.dropped_answers;
  json["server"] = report.server;
  json["link"] = {{"uplink_mbit_s", report.uplink_mbit_s},
                  {"downlink_mbit_s", report.downlink_mbit_s},
                  {"round_trip_ms", report.round_trip_ms},
                  {"server_slowdown", report.server_slowdown}};
  json["cuts"] = Json::array();
  for (const SplitRunCut& cut : report.cuts) json["cuts"].push_back(cut_json(cut));
  json["events"] = Json::array();
  for (const SplitRunEvent& event : report.events) {
    json["events"].push_back({{"time_ms", event.time_ms},
                              {"what", event.what},
                              {"from", event.from},
                              {"to", event.to},
                              {"why", event.why}});
  }
  json["timeline"] = Json::array();
  for (const SplitRunAnswer& answer : report.timeline) {
    json["timeline"].push_back(
        {{"arrived_ms", answer.arrived_ms}, {"latency_ms", answer.latency_ms}, {"by", answer.by}});
  }
  json["mean_cost"] = report.mean_cost;
  if (report.privacy) {
    json["privacy"] = {{"sigma", report.privacy->sigma},
                       {"releases", report.privacy->releases},
                       {"spent_epsilon", report.privacy->spent_epsilon},
                       {"total_epsilon", report.privacy->total_epsilon},
                       {"kept_here", report.privacy->kept_here}};
  }
  json["failures"] = report.failures;
  json["accuracy"] = optional_json(report.accuracy);
  json["outputs"] = outputs_json(report.outputs);
  return finish_document(json);
}

}  // namespace edgewright
