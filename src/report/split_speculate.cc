#include "edgewright/serve.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const RemoteSpeculateReport& report) {
  Json json = document("split speculate", true, report.warnings);
  json["text"] = report.text;
  json["tokens"] = report.tokens;
  json["length"] = report.length;
  json["rounds"] = report.rounds;
  json["plain_rounds"] = report.plain_rounds;
  json["proposed"] = report.proposed;
  json["accepted"] = report.accepted;
  json["acceptance"] = report.acceptance;
  json["predicted_speedup"] = report.predicted_speedup;
  json["draft_ms"] = report.draft_ms;
  json["target_ms"] = report.target_ms;
  json["check_ms"] = report.check_ms;
  json["round_trip_ms"] = report.round_trip_ms;
  json["ttft_ms"] = report.ttft_ms;
  json["ms_per_token"] = report.ms_per_token;
  json["plain_ms_per_token"] = report.plain_ms_per_token;
  return finish_document(json);
}

}  // namespace edgewright
