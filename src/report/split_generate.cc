#include "edgewright/language.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const SplitGenerateReport& report) {
  Json json = document("split generate", true, report.warnings);
  json["text"] = report.text;
  json["tokens"] = report.tokens;
  json["finish"] = report.finish;
  json["prompt_tokens"] = report.prompt_tokens;
  json["ttft_ms"] = report.ttft_ms;
  json["ms_per_token"] = report.ms_per_token;
  json["server_ms"] = report.server_ms;
  json["questions"] = report.questions;
  json["repeated_sequences"] = report.repeated_sequences;
  json["sent_bytes"] = report.sent_bytes;
  json["received_bytes"] = report.received_bytes;
  json["failure"] = report.failure;
  json["tokens_before_failure"] = report.tokens_before_failure;
  json["way"] = report.way;
  json["device_layers"] = report.device_layers;
  json["ways"] = Json::array();
  for (const SplitGenerateWay& way : report.ways) {
    json["ways"].push_back({{"way", way.way},
                            {"device_layers", way.device_layers},
                            {"predicted_ms", way.predicted_ms}});
  }
  return finish_document(json);
}

}  // namespace edgewright
