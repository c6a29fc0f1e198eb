#include "power/policy.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace edgewright {
namespace {

class HighestFrequency : public Policy {
 public:
  explicit HighestFrequency(const PolicyContext& context)
      : setting_(context.machine->big_cores()) {}
  std::string_view name() const override { return "highest"; }
  Decision decide(const Observation& /*seen*/) override { return {setting_, ""}; }

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
    return {setting, ""};
  }

 private:
  const Machine& machine_;
  Setting setting_;
  int queue_max_;
};

// Per-entity load tracking: a running sum whose memory halves every 32 ms
// (kernel/sched/pelt.c), scaled by what the core could do at its frequency.
class UtilizationTracker {
 public:
  double update(double elapsed_s, double running_share, double capacity_now) {
    const double kept = std::exp2(-elapsed_s / 0.032);
    value_ = value_ * kept + running_share * capacity_now * (1 - kept);
    return value_;
  }

 private:
  double value_ = 0;
};

class Schedutil : public Policy {
 public:
  explicit Schedutil(const PolicyContext& context)
      : machine_(*context.machine),
        setting_(machine_.big_cores()),
        trackers_(machine_.clusters()),
        estimates_(machine_.clusters()),
        skin_limit_c_(context.skin_limit_c) {
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      setting_.clusters[i].point = 0;
      steps_.emplace_back(0, static_cast<int64_t>(machine_.points(i)) - 1);
      states_.push_back(0);
    }
  }
  std::string_view name() const override { return "schedutil"; }

  Decision decide(const Observation& seen) override {
    const double elapsed_s = seen.now_s - last_s_;
    last_s_ = seen.now_s;
    throttle(seen);
    const bool awake = seen.phase != Phase::kIdle, fell_asleep = awake_ && !awake;
    awake_ = awake;
    bool held_back = false;
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      ClusterSetting& used = setting_.clusters[i];
      const int64_t top_khz = machine_.frequency_khz(i, machine_.points(i) - 1);
      const double now = static_cast<double>(machine_.capacity(i)) *
                         static_cast<double>(machine_.frequency_khz(i, used.point)) /
                         static_cast<double>(top_khz);
      const double share = i < seen.busy_share.size() ? seen.busy_share[i] : 0;
      auto utilization = static_cast<int64_t>(trackers_[i].update(elapsed_s, share, now));
      if (fell_asleep && used.cores > 0) estimates_[i].sleep_at(utilization);
      if (awake) utilization = std::max(utilization, estimates_[i].value());
      const int64_t wanted =
          schedutil_frequency_khz(utilization, machine_.capacity(i), top_khz);
      const size_t allowed = machine_.points(i) - 1 - static_cast<size_t>(states_[i]);
      const size_t point = machine_.point_at_least(i, wanted);
      held_back |= used.cores > 0 && point > allowed;
      used.point = std::min(point, allowed);
    }
    return {setting_, held_back ? "step_wise" : ""};
  }

 private:
  // Once a second, as a zone without an interrupt is polled.
  void throttle(const Observation& seen) {
    if (skin_limit_c_ <= 0 || seen.now_s - polled_s_ < 1) return;
    polled_s_ = seen.now_s;
    // The kernel's trend has no dead band but equality; sensors of phones report 0.1 kelvin.
    const auto temperature_mc = static_cast<int64_t>(std::lround(seen.skin_c * 10)) * 100;
    const ThermalTrend trend = temperature_mc > last_mc_   ? ThermalTrend::kRaising
                               : temperature_mc < last_mc_ ? ThermalTrend::kDropping
                                                           : ThermalTrend::kStable;
    last_mc_ = temperature_mc;
    for (size_t i = 0; i < states_.size(); ++i) {
      const int64_t target = steps_[i].update(
          temperature_mc, static_cast<int64_t>(skin_limit_c_ * 1000), trend, states_[i]);
      states_[i] = target == StepWise::kNoTarget ? 0 : target;
    }
  }

  const Machine& machine_;
  Setting setting_;
  std::vector<UtilizationTracker> trackers_;
  std::vector<UtilizationEstimate> estimates_;
  bool awake_ = false;
  double skin_limit_c_;
  std::vector<StepWise> steps_;
  std::vector<int64_t> states_;
  int64_t last_mc_ = 0;
  double last_s_ = 0, polled_s_ = 0;
};

class PhaseAware : public Policy {
 public:
  PhaseAware(const PolicyContext& context, const PhaseAwareOptions& options)
      : context_(context), options_(options) {
    if (context.network == nullptr || context.skin_limit_c <= 0) return;
    auto model = ThermalModel::create(*context.network);
    if (!model.ok()) return;
    // Boards without a skin are limited at what carries the platform's heat.
    std::string limited = context.network->skin_node;
    for (const HeatInlet& inlet : context.network->inlets) {
      if (limited.empty() && inlet.source == "platform") limited = inlet.node;
    }
    const auto skin = model->node(limited);
    if (!skin.ok()) return;
    thermal_.emplace(std::move(*model));
    skin_node_ = *skin;
    inlet_ = 0;
    for (const HeatInlet& inlet : context.network->inlets) {
      if (inlet.source == "cluster:0") inlet_ = *thermal_->node(inlet.node);
    }
  }
  std::string_view name() const override { return "phase-aware"; }

  Decision decide(const Observation& seen) override {
    if (seen.phase == Phase::kIdle) return idle();
    const auto& front = front_of(seen);
    const FrontChoice* wanted = &choose(seen, front);
    std::string_view reason;
    double duty = 1;
    if (thermal_) {
      update_budget(seen);
      if (wanted->power_w > budget_w_) {
        if (options_.can_rest) {
          std::tie(wanted, duty) = most_within_budget(front);
        } else {
          wanted = &quickest_within_power(front_of(seen, true), budget_w_);
        }
        reason = "budget";
      }
    }
    Decision decision = settle(seen, *wanted, reason);
    decision.duty = duty;
    return decision;
  }

 private:
  Decision idle() {
    Decision decision = last_;
    if (decision.setting.clusters.empty()) decision.setting = context_.machine->big_cores();
    // Whoever waits for work should wait at the lowest voltage.
    for (ClusterSetting& used : decision.setting.clusters) used.point = 0;
    decision.reason = "";
    last_phase_ = Phase::kIdle;
    last_ = decision;
    return decision;
  }

  const FrontChoice& choose(const Observation& seen, const std::vector<FrontChoice>& front) const {
    if (options_.utility_a > 0 || options_.utility_b > 0) {
      return best_utility(front, options_.utility_a, options_.utility_b);
    }
    double limit_s = front.front().step_s * slack_for(seen.waiting);
    if (options_.use_deadline) {
      const double steps = seen.phase == Phase::kPrefill
                               ? 1 + seen.longest_tokens_left * decode_ratio(seen, front)
                               : std::max(1.0, seen.longest_tokens_left);
      limit_s = std::max(front.front().step_s, seen.time_left_s * options_.deadline_share / steps);
    }
    return cheapest_within(front, limit_s);
  }

  // Whoever waits bears every delay of those before, so that a longer queue leaves less slack.
  double slack_for(int waiting) const {
    return 1 + (options_.slack - 1) / (1 + options_.hurry * waiting);
  }

  // The most work for the power on average: at a choice all the time, or at a stronger one with
  // rests, which is better than crawling below the most efficient point.
  std::pair<const FrontChoice*, double> most_within_budget(
      const std::vector<FrontChoice>& front) const {
    const double rest_w = context_.machine->platform_w();
    std::pair<const FrontChoice*, double> best{&front.back(), 0};
    double most = -1;
    for (const FrontChoice& choice : front) {
      constexpr double kLeastDuty = 0.02;
      const double duty = std::clamp((budget_w_ - rest_w) / std::max(choice.power_w - rest_w, 1e-9),
                                     kLeastDuty, 1.0);
      if (duty / choice.step_s > most) {
        most = duty / choice.step_s;
        best = {&choice, duty};
      }
    }
    return best;
  }

  // Seconds of a decode step over those of the prefill step, both at their quickest.
  double decode_ratio(const Observation& seen, const std::vector<FrontChoice>& prefill) const {
    Observation decode = seen;
    decode.phase = Phase::kDecode;
    return front_of(decode).front().step_s / prefill.front().step_s;
  }

  // Fronts are made once for each phase, batch and 256 positions of context.
  const std::vector<FrontChoice>& front_of(const Observation& seen, bool by_power = false) const {
    const bool prefill = seen.phase == Phase::kPrefill;
    // Prompts are rounded up to a power of two, batches below eight are taken as they are.
    const double tokens = prefill ? std::exp2(std::ceil(std::log2(std::max(1.0, seen.tokens_left))))
                          : seen.batch <= 8 ? seen.batch
                                            : std::exp2(std::ceil(std::log2(seen.batch)));
    const int context = static_cast<int>(seen.context / 256);
    auto& front = fronts_[{prefill, by_power, static_cast<int>(tokens), context}];
    if (front.empty()) {
      const StepWork work = step_work(*context_.load, tokens, 256.0 * context + 128);
      constexpr double kTypicalDieC = 50;
      front = by_power ? power_front(*context_.machine, work, context_.load->dtype, kTypicalDieC)
                       : pareto_front(*context_.machine, work, context_.load->dtype, kTypicalDieC,
                                      options_.platform_on_anyway);
    }
    return front;
  }

  void update_budget(const Observation& seen) {
    if (seen.now_s - budget_s_ < 1 && budget_s_ >= 0) return;
    budget_s_ = seen.now_s;
    budget_w_ = heat_budget_w(*thermal_, seen.temperatures_c, seen.ambient_c, inlet_, skin_node_,
                              context_.skin_limit_c - options_.skin_margin_c, options_.horizon_s);
  }

  // Changes within a phase wait for their dwell time and have to pay.
  Decision settle(const Observation& seen, const FrontChoice& wanted, std::string_view reason) {
    const bool same_phase = seen.phase == last_phase_ && seen.batch == last_batch_;
    const bool early = seen.now_s - changed_s_ < options_.dwell_s;
    const bool urgent = !reason.empty() || options_.use_deadline;
    const bool small =
        std::fabs(wanted.power_w - last_power_w_) < options_.least_gain * last_power_w_;
    if (same_phase && (small || (early && !urgent)) && !last_.setting.clusters.empty()) {
      return {last_.setting, reason};
    }
    last_ = {wanted.setting, reason};
    last_phase_ = seen.phase;
    last_batch_ = seen.batch;
    last_power_w_ = wanted.power_w;
    changed_s_ = seen.now_s;
    return last_;
  }

  const PolicyContext context_;
  const PhaseAwareOptions options_;
  mutable std::map<std::tuple<bool, bool, int, int>, std::vector<FrontChoice>> fronts_;
  std::optional<ThermalModel> thermal_;
  size_t skin_node_ = 0, inlet_ = 0;
  double budget_w_ = 0, budget_s_ = -1;
  Decision last_;
  Phase last_phase_ = Phase::kIdle;
  int last_batch_ = 0;
  double last_power_w_ = 0, changed_s_ = -1;
};

}  // namespace

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

double StagedThrottle::share(double temperature_c) {
  constexpr double kBelowLimit[] = {6, 4, 2, 0};  // where stages 1 to 4 begin
  constexpr double kShares[] = {1, 0.75, 0.5, 0.25, 0.1};
  constexpr double kHysteresisC = 2;
  while (stage_ < 4 && temperature_c >= limit_c_ - kBelowLimit[stage_]) ++stage_;
  while (stage_ > 0 && temperature_c < limit_c_ - kBelowLimit[stage_ - 1] - kHysteresisC) --stage_;
  return kShares[stage_];
}

std::unique_ptr<Policy> highest_frequency_policy(const PolicyContext& context) {
  return std::make_unique<HighestFrequency>(context);
}
std::unique_ptr<Policy> schedutil_policy(const PolicyContext& context) {
  return std::make_unique<Schedutil>(context);
}
std::unique_ptr<Policy> square_root_policy(const PolicyContext& context, int queue_max) {
  return std::make_unique<SquareRoot>(context, queue_max);
}
std::unique_ptr<Policy> phase_aware_policy(const PolicyContext& context,
                                           const PhaseAwareOptions& options) {
  return std::make_unique<PhaseAware>(context, options);
}

Result<std::unique_ptr<Policy>> make_policy(const std::string& name, const PolicyContext& context,
                                            const PhaseAwareOptions& options) {
  if (name == "highest") return highest_frequency_policy(context);
  if (name == "schedutil") return schedutil_policy(context);
  if (name == "square-root") return square_root_policy(context, std::max(1, context.max_batch));
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
      "policy '{}', expected highest, schedutil, square-root, phase-aware, "
      "performance, balanced, cool or long-lasting",
      name);
}

}  // namespace edgewright
