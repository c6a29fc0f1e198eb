// The JSON documents of the commands; keys as scripts rely on them.
#include <cmath>

#include "base/json.h"
#include "edgewright/json.h"
#include "edgewright/version.h"

namespace edgewright {
namespace {

Json document(std::string_view command, bool passed, const std::vector<std::string>& warnings) {
  Json json;
  json["schema"] = fmt::format("edgewright.{}/1", command);
  json["version"] = version();
  json["passed"] = passed;
  json["warnings"] = warnings;
  return json;
}

// JSON has no infinity and no NaN; text stands for them.
Json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  return value;
}

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
  return json.dump(2) + "\n";
}

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
  if (report.verification) {
    Json verification;
    verification["passed"] = report.verification->passed;
    add_verification(verification, *report.verification);
    json["verification"] = std::move(verification);
  }
  return json.dump(2) + "\n";
}

std::string to_json(const VerifyReport& report) {
  Json json = document("verify", report.passed, report.warnings);
  add_verification(json, report);
  return json.dump(2) + "\n";
}

std::string to_json(const BenchReport& report) {
  Json json = document("bench", report.passed, report.warnings);
  json["backend"] = report.backend;
  json["threads"] = report.threads;
  json["runs"] = report.runs;
  json["latency_us"] = {{"min", report.latency_us.min},
                        {"median", report.latency_us.median},
                        {"p90", report.latency_us.p90},
                        {"p99", report.latency_us.p99}};
  json["throughput_per_s"] = report.throughput_per_s;
  json["load_us"] = report.load_us;
  json["first_inference_us"] = report.first_inference_us;
  json["peak_rss_bytes"] = report.peak_rss_bytes;
  json["arena_bytes"] = report.arena_bytes;
  json["live_set_bytes"] = report.live_set_bytes;
  return json.dump(2) + "\n";
}

std::string run_to_json(const std::vector<RunOutput>& outputs, const std::string& backend,
                        const std::vector<std::string>& warnings) {
  Json json = document("run", true, warnings);
  json["backend"] = backend;
  Json list = Json::array();
  for (const RunOutput& output : outputs) {
    list.push_back({{"name", output.name},
                    {"dtype", output.dtype},
                    {"shape", output.shape},
                    {"file", output.file}});
  }
  json["outputs"] = std::move(list);
  return json.dump(2) + "\n";
}

}  // namespace edgewright
