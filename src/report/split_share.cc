#include "edgewright/serve.h"
#include "edgewright/split.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const ShareReport& report) {
  Json json = document("split share", true, report.warnings);
  json["requests"] = report.requests;
  json["fraction_bits"] = report.fraction_bits;
  json["layers"] = Json::array();
  for (const SharedLayerFigures& layer : report.layers) {
    json["layers"].push_back({{"layer", layer.layer},
                              {"macs", layer.macs},
                              {"sent_bytes", layer.sent_bytes},
                              {"received_bytes", layer.received_bytes},
                              {"largest_value", layer.largest_value}});
  }
  json["files"] = report.files;
  return finish_document(json);
}

std::string to_json(const SecretRunReport& report) {
  Json json = document("split secret", true, report.warnings);
  json["requests"] = report.requests;
  json["latency_us"] = report.latency_us;
  json["requests_left"] = report.requests_left;
  json["layers"] = Json::array();
  for (const SecretRunLayer& layer : report.layers) {
    json["layers"].push_back({{"layer", layer.layer},
                              {"latency_us", layer.latency_us},
                              {"sent_bytes", layer.sent_bytes},
                              {"received_bytes", layer.received_bytes}});
  }
  json["outputs"] = outputs_json(report.outputs);
  return finish_document(json);
}

}  // namespace edgewright
