#include "power/policy.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

class HighestFrequency : public Policy {
 public:
  explicit HighestFrequency(const PolicyContext& context)
      : setting_(context.machine->big_cores()) {}
  std::string_view name() const override { return "highest"; }
  Decision decide(const Observation& /*seen*/) override { return {.setting = setting_}; }

 private:
  Setting setting_;
};

class SquareRoot : public Policy {
 public:
  SquareRoot(const PolicyContext& context, int queue_max)
      : machine_(*context.machine), setting_(machine_.big_cores()), queue_max_(queue_max) {}
  std::string_view name() const override { return "square-root"; }
  Decision decide(const Observation& seen) override {
    const double filled = std::min(
        1.0, static_cast<double>(seen.batch + seen.waiting) / static_cast<double>(queue_max_));
    Setting setting = setting_;
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      const auto low = static_cast<double>(machine_.frequency_khz(i, 0));
      const auto high = static_cast<double>(machine_.frequency_khz(i, machine_.points(i) - 1));
      setting.clusters[i].point =
          machine_.point_at_least(i, static_cast<int64_t>(low + (high - low) * std::sqrt(filled)));
    }
    return {.setting = setting};
  }

 private:
  const Machine& machine_;
  Setting setting_;
  int queue_max_;
};

// A policy that knows nothing of the engine's work, with an engine that somebody else has told how
// much of the next prompt it may compute beside decoding.
class WithPromptBeside : public Policy {
 public:
  WithPromptBeside(std::unique_ptr<Policy> policy, const PolicyContext& context)
      : policy_(std::move(policy)), free_(*context.machine, *context.load) {}
  std::string_view name() const override { return policy_->name(); }
  Decision decide(const Observation& seen) override {
    Decision decision = policy_->decide(seen);
    decision.chunk_tokens = free_.beside(seen.decoding, seen.context);
    decision.prompt_ahead = true;
    return decision;
  }

 private:
  std::unique_ptr<Policy> policy_;
  const FreePromptTokens free_;
};

std::unique_ptr<Policy> kernel_policy(const PolicyContext& context,
                                      const KernelGovernors& governors, bool interleave) {
  auto policy = schedutil_policy(context, governors);
  if (!interleave) return policy;
  return std::make_unique<WithPromptBeside>(std::move(policy), context);
}

}  // namespace

double FreePromptTokens::beside(int decoding, double context) const {
  if (decoding == 0) return 0;
  const int position = static_cast<int>(context / 256);
  const auto [found, fresh] = known_.try_emplace({decoding, position}, 0);
  if (!fresh) return found->second;
  const Setting setting = machine_.big_cores();
  const auto step_s = [&](double chunk) {
    return machine_.step_s(step_work(load_, decoding + chunk, 256.0 * position + 128), load_.dtype,
                           setting);
  };
  constexpr double kMost = 512, kLonger = 1.1, kCheaper = 0.999;
  double& chunk = found->second;
  const double alone_s = step_s(0);
  // Where prompts by themselves are quicker they stay so.
  constexpr double kUsualPrompt = 128;
  double least_s =
      machine_.step_s(prompt_work(load_, kUsualPrompt), load_.dtype, setting) / kUsualPrompt;
  for (double more = 1; more <= kMost; more = std::max(more + 1, std::floor(more * 1.25))) {
    const double longer_s = step_s(more) - alone_s;
    if (longer_s > (kLonger - 1) * alone_s) break;
    if (longer_s / more >= kCheaper * least_s) continue;
    least_s = longer_s / more;
    chunk = more;
  }
  return chunk;
}

double heat_budget_w(ThermalModel& model, std::vector<double> temperatures_c, double ambient_c,
                     size_t inlet, size_t limited_node, double limit_c, double horizon_s) {
  constexpr int kSteps = 8;
  std::vector<double> power(model.size(), 0), warmed(model.size(), 0);
  for (int i = 0; i < kSteps; ++i) {
    model.step(temperatures_c, power, ambient_c, horizon_s / kSteps);
  }
  power[inlet] = 1;
  for (int i = 0; i < kSteps; ++i) model.step(warmed, power, 0, horizon_s / kSteps);
  return std::max(0.0, (limit_c - temperatures_c[limited_node]) / warmed[limited_node]);
}

Result<LimitedHeat> limited_heat(const ThermalNetwork& network) {
  EDGEWRIGHT_ASSIGN(ThermalModel model, ThermalModel::create(network));
  std::string limited = network.skin_node, heated;
  for (const HeatInlet& inlet : network.inlets) {
    if (limited.empty() && inlet.source == "platform") limited = inlet.node;
    if (inlet.source == "cluster:0") heated = inlet.node;
  }
  EDGEWRIGHT_ASSIGN(const size_t limited_node, model.node(limited));
  EDGEWRIGHT_ASSIGN(const size_t inlet, model.node(heated));
  return LimitedHeat{std::move(model), limited_node, inlet};
}

int StagedThrottle::stage(double temperature_c) {
  constexpr double kBelowLimit[] = {6, 4, 2, 0};  // where stages 1 to 4 begin
  constexpr double kHysteresisC = 2;
  while (stage_ < 4 && temperature_c >= limit_c_ - kBelowLimit[stage_]) ++stage_;
  while (stage_ > 0 && temperature_c < limit_c_ - kBelowLimit[stage_ - 1] - kHysteresisC) --stage_;
  return stage_;
}

std::unique_ptr<Policy> highest_frequency_policy(const PolicyContext& context) {
  return std::make_unique<HighestFrequency>(context);
}
std::unique_ptr<Policy> square_root_policy(const PolicyContext& context, int queue_max) {
  return std::make_unique<SquareRoot>(context, queue_max);
}

Result<std::unique_ptr<Policy>> make_policy(const std::string& name, const PolicyContext& context,
                                            const PhaseAwareOptions& options) {
  if (name == "highest") return highest_frequency_policy(context);
  for (const KernelGovernors& governors : kKernelGovernors) {
    if (name == governors.policy) return kernel_policy(context, governors, options.interleave);
  }
  if (name == "square-root") return square_root_policy(context, std::max(1, context.max_batch));
  if (name == "learned") return learning_policy(context, options.slack);
  if (name == "phase-aware") return phase_aware_policy(context, options);
  for (const PowerMode& mode : kPowerModes) {
    if (name != mode.name) continue;
    PhaseAwareOptions by_utility = options;
    by_utility.use_deadline = false;
    by_utility.utility_a = mode.a;
    by_utility.utility_b = mode.b;
    return phase_aware_policy(context, by_utility);
  }
  return usage_error(
      "policy '{}', expected highest, schedutil, schedutil-menu, ipa, square-root, learned, "
      "phase-aware, performance, balanced, cool or long-lasting",
      name);
}

}  // namespace edgewright
