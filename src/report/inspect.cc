#include "report/document.h"

namespace edgewright {
namespace {

Json interface_json(const std::vector<InterfaceValue>& values) {
  Json list = Json::array();
  for (const InterfaceValue& value : values) {
    Json shape = Json::array();
    for (const std::string& dim : value.shape) {
      const bool digits = !dim.empty() && dim.find_first_not_of("0123456789") == std::string::npos;
      shape.push_back(digits ? Json(std::stoll(dim)) : Json(dim));
    }
    list.push_back({{"name", value.name},
                    {"dtype", value.dtype},
                    {"shape", value.has_shape ? shape : Json(nullptr)}});
  }
  return list;
}

}  // namespace

std::string to_json(const InspectReport& report) {
  Json json = document("inspect", true, report.warnings);
  json["inputs"] = interface_json(report.inputs);
  json["outputs"] = interface_json(report.outputs);
  json["nodes"] = report.nodes;
  json["operators"] = report.operators;
  json["unknown_operators"] = report.unknown_operators;
  json["parameters"] = report.parameters;
  json["parameter_bytes"] = report.parameter_bytes;
  json["macs"] = report.macs;
  json["macs_complete"] = report.macs_complete;
  json["opset"] = report.opset;
  json["ir_version"] = report.ir_version;
  json["producer"] = report.producer;
  return finish_document(json);
}

}  // namespace edgewright
