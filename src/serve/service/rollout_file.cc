#include "serve/service/rollout_file.h"

#include <charconv>
#include <filesystem>

#include "base/file.h"
#include "serve/protocol/json_tensor.h"

namespace edgewright {
namespace {

constexpr size_t kMaxRecordBytes = size_t{1} << 20;

std::string record_path(const std::string& model_folder) {
  return (std::filesystem::path(model_folder) / "rollout.json").string();
}

// The numbers of a plan by name; integers are rounded from JSON's.
struct PlanNumber {
  const char* key;
  double (*get)(const ControlPlan&);
  void (*set)(ControlPlan&, double);
};
#define EDGEWRIGHT_NUMBER(key, member)                                                  \
  PlanNumber {                                                                          \
    key, [](const ControlPlan& p) { return static_cast<double>(p.member); },            \
        [](ControlPlan& p, double v) { p.member = static_cast<decltype(p.member)>(v); } \
  }
const PlanNumber kPlanNumbers[] = {
    EDGEWRIGHT_NUMBER("max_weight", canary.max_weight),
    EDGEWRIGHT_NUMBER("step_weight", canary.step_weight),
    EDGEWRIGHT_NUMBER("threshold", canary.threshold),
    EDGEWRIGHT_NUMBER("interval_ms", canary.interval_ms),
    EDGEWRIGHT_NUMBER("min_requests", min_requests),
    EDGEWRIGHT_NUMBER("max_error_rate", max_error_rate),
    EDGEWRIGHT_NUMBER("max_latency_ratio", max_latency_ratio),
};
const PlanNumber kShadowNumbers[] = {
    EDGEWRIGHT_NUMBER("tolerated_flips", shadow.tolerated_flips),
    EDGEWRIGHT_NUMBER("refused_flips", shadow.refused_flips),
    EDGEWRIGHT_NUMBER("false_alarm", shadow.false_alarm),
    EDGEWRIGHT_NUMBER("missed", shadow.missed),
    EDGEWRIGHT_NUMBER("most_requests", shadow.most_requests),
    EDGEWRIGHT_NUMBER("refused_divergence", shadow.refused_divergence),
    EDGEWRIGHT_NUMBER("few_requests", shadow.few_requests),
};
#undef EDGEWRIGHT_NUMBER

Refusal malformed(std::string message) { return {RefusalKind::kMalformed, std::move(message)}; }

Reply<bool> read_numbers(const Json& json, std::span<const PlanNumber> numbers, ControlPlan& plan) {
  for (const auto& [key, value] : json.items()) {
    if (key == "candidate" || key == "shadow") continue;
    const auto known = std::find_if(numbers.begin(), numbers.end(),
                                    [&](const PlanNumber& number) { return number.key == key; });
    if (known == numbers.end()) return malformed(fmt::format("unknown setting '{}'", key));
    if (!value.is_number() || value.get<double>() < 0 || value.get<double>() > 1e12) {
      return malformed(fmt::format("'{}' is no number of 0 or more", key));
    }
    known->set(plan, value.get<double>());
  }
  return true;
}

Json state_json(const ControlState& state) {
  return {{"stage", stage_name(state.stage)},
          {"service", state.rollout.service},
          {"candidate", state.rollout.candidate},
          {"weight", state.rollout.weight},
          {"good_checks", state.rollout.good_checks},
          {"bad_checks", state.rollout.bad_checks},
          {"reason", state.rollout.reason},
          {"shadow",
           {{"requests", state.shadow.requests},
            {"flips", state.shadow.flips},
            {"agreement", state.shadow.agreement()},
            {"mean_divergence", state.shadow.mean_divergence()},
            {"latency_ratio", state.shadow.latency_ratio()}}},
          {"history", state.history}};
}

}  // namespace

Reply<RolloutOrder> decode_rollout_order(std::string_view body) {
  Result<Json> parsed = oip::parse_json(body);
  if (!parsed.ok()) return std::move(parsed).error();
  const Json& json = *parsed;
  if (!json.is_object()) return malformed("the body is no JSON object");
  RolloutOrder order;
  const auto candidate = json.find("candidate");
  if (candidate == json.end() || !candidate->is_string()) {
    return malformed("'candidate' is missing; expected a version, as text");
  }
  order.candidate = candidate->get<std::string>();
  if (auto read = read_numbers(json, kPlanNumbers, order.plan); !read.ok()) {
    return std::move(read).refusal();
  }
  if (const auto shadow = json.find("shadow"); shadow != json.end()) {
    if (shadow->is_boolean()) {
      order.plan.with_shadow = shadow->get<bool>();
    } else if (!shadow->is_object()) {
      return malformed("'shadow' is neither an object nor false");
    } else if (auto read = read_numbers(*shadow, kShadowNumbers, order.plan); !read.ok()) {
      return std::move(read).refusal();
    }
  }
  const std::vector<std::string> broken = violations(order.plan, ControlState());
  if (!broken.empty()) return malformed(broken[0]);
  return order;
}

std::string encode_rollout(const std::string& model, const ControlPlan& plan,
                           const ControlState& state) {
  Json json = {{"model", model}};
  json.update(state_json(state));
  Json& numbers = json["plan"] = Json::object();
  for (const PlanNumber& number : kPlanNumbers) numbers[number.key] = number.get(plan);
  Json& shadow = numbers["shadow"] = Json::object();
  for (const PlanNumber& number : kShadowNumbers) shadow[number.key] = number.get(plan);
  if (!plan.with_shadow) shadow = false;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status record_rollout(const std::string& model_folder, const ControlState& state) {
  EDGEWRIGHT_ASSIGN(AtomicFile file, AtomicFile::create(record_path(model_folder)));
  EDGEWRIGHT_TRY(file.write(state_json(state).dump(2, ' ', false, Json::error_handler_t::replace)));
  EDGEWRIGHT_TRY(file.write(std::string_view("\n")));
  return file.commit();
}

Result<int64_t> recorded_service(const std::string& model_folder) {
  const std::string path = record_path(model_folder);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return int64_t{0};
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMaxRecordBytes));
  Result<Json> json = oip::parse_json(text);
  const bool sound =
      json.ok() && json->is_object() && json->contains("service") && (*json)["service"].is_string();
  if (!sound) return bad_input("{}: expected {{\"service\": \"VERSION\"}}; remove the file", path);
  const auto version = (*json)["service"].get<std::string>();
  int64_t number = 0;
  const auto [end, code] = std::from_chars(version.data(), version.data() + version.size(), number);
  if (code != std::errc() || end != version.data() + version.size() || number < 1) {
    return bad_input("{}: '{}' is no version; remove the file", path, version);
  }
  return number;
}

}  // namespace edgewright
