#include "report/document.h"

namespace edgewright {
namespace {

Json differences_json(const std::vector<ValueDifference>& differences) {
  Json list = Json::array();
  for (const ValueDifference& d : differences) {
    Json entry = {{"name", d.name},
                  {"relative_l2", number(d.relative_l2)},
                  {"max_abs", number(d.max_abs)},
                  {"cosine", number(d.cosine)},
                  {"passed", d.passed}};
    if (!d.problem.empty()) entry["problem"] = d.problem;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

void add_verification(Json& json, const VerifyReport& report) {
  json["samples"] = report.samples;
  json["outputs"] = differences_json(report.outputs);
  json["layers"] = differences_json(report.layers);
  json["first_divergence"] =
      report.first_divergence ? Json(*report.first_divergence) : Json(nullptr);
  Json boundary = Json::object();
  for (const auto& [kind, worst] : report.boundary) boundary[kind] = number(worst);
  json["boundary"] = std::move(boundary);
}

std::string to_json(const VerifyReport& report) {
  Json json = document("verify", report.passed, report.warnings);
  add_verification(json, report);
  return finish_document(json);
}

}  // namespace edgewright
