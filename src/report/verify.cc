#include "report/document.h"

namespace edgewright {
namespace {

Json moments_json(const MomentSummary& moments) {
  return {{"mean", number(moments.mean)},
          {"variance", number(moments.variance)},
          {"skewness", number(moments.skewness)},
          {"kurtosis", number(moments.kurtosis)}};
}

Json distribution_json(const DistributionSummary& distribution) {
  return {{"reference", moments_json(distribution.reference)},
          {"candidate", moments_json(distribution.candidate)},
          {"quantiles", distribution.quantiles},
          {"reference_quantiles", distribution.reference_quantiles},
          {"candidate_quantiles", distribution.candidate_quantiles},
          {"kl_nats", number(distribution.kl)},
          {"js_nats", number(distribution.js)},
          {"wasserstein_1", number(distribution.wasserstein_1)}};
}

Json errors_json(const ErrorSummary& errors) {
  return {
      {"verdict", errors.verdict},
      {"mean", number(errors.mean)},
      {"mean_square", number(errors.mean_square)},
      {"bias_share", number(errors.bias_share)},
      {"histogram",
       {{"low", number(errors.low)}, {"high", number(errors.high)}, {"counts", errors.histogram}}}};
}

Json differences_json(const std::vector<ValueDifference>& differences) {
  Json list = Json::array();
  for (const ValueDifference& d : differences) {
    Json entry = {{"name", d.name},
                  {"relative_l2", number(d.relative_l2)},
                  {"max_abs", number(d.max_abs)},
                  {"cosine", number(d.cosine)},
                  {"passed", d.passed}};
    if (!d.problem.empty()) entry["problem"] = d.problem;
    if (d.distribution) entry["distribution"] = distribution_json(*d.distribution);
    if (d.errors) entry["errors"] = errors_json(*d.errors);
    list.push_back(std::move(entry));
  }
  return list;
}

void add_task(Json& json, const VerifyReport& report) {
  Json task = Json::object();
  for (const TaskScore& score : report.task) {
    task[score.metric] = {{"reference", number(score.reference)},
                          {"candidate", number(score.candidate)},
                          {"loss", number(score.loss)},
                          {"loss_unit", score.relative ? "percent" : "points"},
                          {"p_value", number(score.p_value)},
                          {"passed", score.passed}};
  }
  json["task"] = std::move(task);
  if (report.agreement) json["agreement"] = *report.agreement;
  if (!report.reference_confusion.empty()) {
    json["confusion"] = {{"reference", report.reference_confusion},
                         {"candidate", report.candidate_confusion}};
  }
}

Json bisect_json(const BisectReport& report) {
  Json layers = Json::array(), details = Json::array();
  for (const BisectedLayerReport& layer : report.layers) {
    layers.push_back(layer.name);
    details.push_back({{"name", layer.name},
                       {"node", layer.node},
                       {"op", layer.op},
                       {"relative_l2", number(layer.relative_l2)}});
  }
  return {{"layers", std::move(layers)},
          {"details", std::move(details)},
          {"layers_compared", report.layers_compared},
          {"model_runs", report.model_runs},
          {"restored", report.restored}};
}

Json pareto_json(const std::vector<TradeOffPoint>& points) {
  Json list = Json::array();
  for (const TradeOffPoint& point : points) {
    list.push_back({{"file", point.file},
                    {"latency_us", point.latency_us},
                    {"size_bytes", point.size_bytes},
                    {"error", number(point.error)},
                    {"on_front", point.on_front},
                    {"knee", point.knee}});
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
  json["layer_samples"] = report.layer_samples;
  json["decided_by"] = report.decided_by;
  add_task(json, report);
  if (report.derivative_relative_l2) {
    json["derivative_relative_l2"] = number(*report.derivative_relative_l2);
  }
  if (report.bisect) json["bisect"] = bisect_json(*report.bisect);
  if (!report.pareto.empty()) json["pareto"] = pareto_json(report.pareto);
  return finish_document(json);
}

}  // namespace edgewright
