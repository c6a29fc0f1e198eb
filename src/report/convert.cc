#include "edgewright/convert.h"
#include "report/document.h"

namespace edgewright {
namespace {

Json quantization_json(const QuantizationReport& report) {
  Json json;
  json["calibration_samples"] = report.calibration_samples;
  json["held_back_samples"] = report.held_back_samples;
  // What was not measured is left out.
  if (report.held_back_samples > 0) {
    json["relative_l2"] = report.relative_l2;
    json["agreement"] = report.agreement;
  }
  if (report.top1) {
    json["reference_top1"] = *report.reference_top1;
    json["top1"] = *report.top1;
  }
  if (report.calibration_us > 0) json["calibration_us"] = report.calibration_us;
  json["int8_macs_share"] = report.int8_macs_share;
  Json guilty = Json::array();
  for (const GuiltyLayer& layer : report.guilty) {
    guilty.push_back({{"name", layer.name}, {"relative_l2", layer.relative_l2}});
  }
  json["guilty_layers"] = std::move(guilty);
  return json;
}

}  // namespace

std::string to_json(const ConvertReport& report) {
  Json json = document("convert", report.passed, report.warnings);
  json["nodes_before"] = report.nodes_before;
  json["nodes_after"] = report.nodes_after;
  json["opset"] = report.opset;
  json["size_bytes"] = report.size_bytes;
  Json passes = Json::array();
  for (const PassResult& pass : report.passes) {
    Json entry = {{"name", pass.name},
                  {"changed", pass.changed},
                  {"time_us", pass.time_us},
                  {"verified", pass.verified}};
    if (!pass.faults.empty()) entry["faults"] = pass.faults;
    passes.push_back(std::move(entry));
  }
  json["passes"] = std::move(passes);
  json["dropped_passes"] = report.dropped_passes;
  json["precision"] = report.precision;
  Json choices = Json::array();
  for (const Choice& choice : report.choices) {
    choices.push_back({{"what", choice.what},
                       {"chosen", choice.chosen},
                       {"runner_up", choice.runner_up},
                       {"why", choice.why}});
  }
  json["choices"] = std::move(choices);
  if (!report.pareto.empty()) {
    Json pareto = Json::array();
    for (const MixPoint& point : report.pareto) {
      pareto.push_back({{"cost", point.cost},
                        {"error", point.error},
                        {"changed_layers", point.changed_layers},
                        {"knee", point.knee},
                        {"chosen", point.chosen}});
    }
    json["pareto"] = std::move(pareto);
  }
  if (report.verification) {
    Json verification;
    verification["passed"] = report.verification->passed;
    add_verification(verification, *report.verification);
    json["verification"] = std::move(verification);
  }
  if (report.quantization) json["quantization"] = quantization_json(*report.quantization);
  return finish_document(json);
}

}  // namespace edgewright
