#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "power/policy.h"

namespace edgewright {
namespace {

constexpr double kTypicalDieC = 50;
constexpr double kSpendS = 2;  // in which saved budget may be spent

// When idle is expected to last: a moving average of how long it did.
class IdlePredictor {
 public:
  void observe(double now_s, bool idle) {
    if (idle && !idle_) began_s_ = now_s;
    if (!idle && idle_) expected_s_ += 0.25 * (now_s - began_s_ - expected_s_);
    idle_ = idle;
  }
  double expected_s() const { return expected_s_; }

 private:
  bool idle_ = false;
  double began_s_ = 0, expected_s_ = 0;
};

class PhaseAware : public Policy {
 public:
  PhaseAware(const PolicyContext& context, const PhaseAwareOptions& options)
      : context_(context),
        options_(options),
        machine_(*context.machine),
        free_(*context.machine, *context.load),
        throttle_(context.skin_limit_c) {
    if (context.network == nullptr || context.skin_limit_c <= 0) return;
    auto heat = limited_heat(*context.network);
    if (heat.ok()) heat_.emplace(std::move(*heat));
  }
  std::string_view name() const override { return "phase-aware"; }

  Decision decide(const Observation& seen) override {
    idle_.observe(seen.now_s, seen.phase == Phase::kIdle);
    if (heat_) update_heat(seen);
    const int stage = heat_ ? throttle_.stage(std::max(seen.skin_c, foreseen_c_)) : 0;
    if (seen.phase == Phase::kIdle) return with_batch(idle(), stage);
    const Task task = task_of(seen);
    const Costs& costs = costs_of(seen, task);
    const double budget_w = budget_w_ + credit_j_ / kSpendS;
    const FrontChoice* wanted = &choose(seen, costs.front, stage);
    std::string_view reason;
    double duty = 1;
    if (heat_) {
      if (wanted->power_w > budget_w) {
        if (options_.can_rest) {
          std::tie(wanted, duty) = most_within_budget(costs.front, budget_w);
        } else {
          wanted = &quickest_within_power(costs_of(seen, task, true).front, budget_w);
        }
        reason = "budget";
      }
    }
    Decision decision = settle(seen, task, costs, *wanted, reason);
    decision.duty = duty;
    power_w_ = duty * wanted->power_w + (1 - duty) * machine_.platform_w();
    decision.setting = rotated(seen, decision.setting);
    decision.chunk_tokens = beside(seen);
    decision.prompt_ahead = options_.interleave;
    return with_batch(std::move(decision), stage);
  }

 private:
  enum class Kind { kPrefill, kDecode, kMixed };
  struct Task {
    Kind kind;
    double chunk_tokens = 0;  // of a prompt, beside decoding
  };
  // What a kind of work costs at every setting worth taking.
  struct Costs {
    StepWork work;
    std::vector<FrontChoice> front;
  };

  Decision idle() {
    Decision decision = last_;
    if (decision.setting.clusters.empty()) decision.setting = machine_.big_cores();
    // Whoever waits for work should wait at the lowest voltage.
    for (ClusterSetting& used : decision.setting.clusters) used.point = 0;
    decision.reason = "";
    decision.idle = IdleChoice::Wish::kDeep;
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      if (decision.setting.clusters[i].cores > 0 &&
          idle_.expected_s() < machine_.sleep_residency_s(i)) {
        decision.idle = IdleChoice::Wish::kShallow;
      }
    }
    last_phase_ = Phase::kIdle;
    last_ = decision;
    power_w_ = machine_.platform_w();
    return decision;
  }

  // From the usual batch to the hot one, a quarter of the way a stage.
  Decision with_batch(Decision decision, int stage) const {
    const int more = options_.hot_batch - context_.max_batch;
    decision.batch = more <= 0 ? 0 : context_.max_batch + (more * stage + 3) / 4;
    return decision;
  }

  const FrontChoice& choose(const Observation& seen, const std::vector<FrontChoice>& front,
                            int stage) const {
    if (options_.utility_a > 0 || options_.utility_b > 0) {
      return best_utility(front, options_.utility_a, options_.utility_b);
    }
    return cheapest_within(front, limit_s(seen, front, stage));
  }

  double limit_s(const Observation& seen, const std::vector<FrontChoice>& front, int stage) const {
    const double quickest_s = front.front().step_s;
    if (!options_.use_deadline) return quickest_s * slack_for(seen.waiting);
    const double steps = seen.phase == Phase::kPrefill
                             ? 1 + seen.longest_tokens_left * decode_ratio(seen, front)
                             : std::max(1.0, seen.longest_tokens_left);
    constexpr double kHottestShare = 0.9;
    const double share =
        options_.deadline_share + (kHottestShare - options_.deadline_share) * stage / 4;
    return std::max(quickest_s, seen.time_left_s * share / steps);
  }

  // Whoever waits bears every delay of those before, so that a longer queue leaves less slack.
  double slack_for(int waiting) const {
    return 1 + (options_.slack - 1) / (1 + options_.hurry * waiting);
  }

  // The most work for the power on average: at a choice all the time, or at a stronger one with
  // rests, which is better than crawling below the most efficient point.
  std::pair<const FrontChoice*, double> most_within_budget(const std::vector<FrontChoice>& front,
                                                           double budget_w) const {
    const double rest_w = machine_.platform_w();
    std::pair<const FrontChoice*, double> best{&front.back(), 0};
    double most = -1;
    for (const FrontChoice& choice : front) {
      constexpr double kLeastDuty = 0.02;
      const double duty = std::clamp((budget_w - rest_w) / std::max(choice.power_w - rest_w, 1e-9),
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
    return costs_of(decode, {Kind::kDecode}).front.front().step_s / prefill.front().step_s;
  }

  Task task_of(const Observation& seen) const {
    const bool is_decode = seen.phase == Phase::kDecode;
    const double chunk = is_decode && seen.ahead_tokens <= 0 ? 0 : beside(seen);
    return {chunk > 0 ? Kind::kMixed : is_decode ? Kind::kDecode : Kind::kPrefill, chunk};
  }
  static double power_of_two(double tokens) {
    return std::exp2(std::ceil(std::log2(std::max(1.0, tokens))));
  }

  // Made once for each kind of work, batch and 256 positions of context.
  const Costs& costs_of(const Observation& seen, const Task& task, bool by_power = false) const {
    // Prompts are rounded up to a power of two, batches below eight are taken as they are.
    const double tokens = task.kind == Kind::kPrefill ? power_of_two(seen.tokens_left)
                          : task.kind == Kind::kMixed ? seen.decoding + task.chunk_tokens
                          : seen.batch <= 8           ? seen.batch
                                                      : power_of_two(seen.batch);
    const int context = static_cast<int>(seen.context / 256);
    Costs& costs = costs_[{task.kind, by_power, static_cast<int>(tokens), context}];
    if (costs.front.empty()) {
      const std::string& dtype = context_.load->dtype;
      costs.work = step_work(*context_.load, tokens, 256.0 * context + 128);
      costs.work.is_prompt = task.kind == Kind::kPrefill;
      // Prompts beside decoding are the other way to fill what memory leaves idle.
      if (task.kind == Kind::kMixed) costs.work.layers = 0;
      costs.front = by_power ? power_front(machine_, costs.work, dtype, kTypicalDieC)
                             : pareto_front(machine_, costs.work, dtype, kTypicalDieC,
                                            options_.platform_on_anyway);
    }
    return costs;
  }

  // Once a second: what may be drawn over the horizon, and how warm the skin will be in a few
  // minutes of the power of the last one.
  void update_heat(const Observation& seen) {
    const double passed_s = seen.now_s - seen_s_;
    seen_s_ = seen.now_s;
    // Where nothing is metered, what was foreseen is taken to have come.
    const double passed_j = seen.energy_j > 0 ? seen.energy_j - seen_j_ : power_w_ * passed_s;
    seen_j_ = seen.energy_j;
    drawn_j_ += passed_j;
    // What was left of the budget may be drawn a little later: a case takes minutes to warm, and
    // points come in steps that seldom hit the budget.
    constexpr double kKeepS = 5;
    credit_j_ = std::clamp(credit_j_ + budget_w_ * passed_s - passed_j, -kKeepS * budget_w_,
                           kKeepS * budget_w_);
    if (seen.now_s - budget_s_ < 1 && budget_s_ >= 0) return;
    if (budget_s_ >= 0) {
      constexpr double kMemoryS = 60;
      const double elapsed_s = seen.now_s - budget_s_, kept = std::exp(-elapsed_s / kMemoryS);
      mean_w_ = kept * mean_w_ + (1 - kept) * drawn_j_ / elapsed_s;
    }
    drawn_j_ = 0;
    budget_s_ = seen.now_s;
    foreseen_c_ = foreseen(seen);
    budget_w_ = heat_budget_w(heat_->model, seen.temperatures_c, seen.ambient_c, heat_->inlet,
                              heat_->limited_node, context_.skin_limit_c - options_.skin_margin_c,
                              options_.horizon_s);
  }

  double foreseen(const Observation& seen) {
    constexpr double kAheadS = 300;
    constexpr int kSteps = 5;
    std::vector<double> temperatures_c = seen.temperatures_c;
    std::vector<double> power(heat_->model.size(), 0);
    power[heat_->inlet] = mean_w_;
    for (int i = 0; i < kSteps; ++i) {
      heat_->model.step(temperatures_c, power, seen.ambient_c, kAheadS / kSteps);
    }
    return temperatures_c[heat_->limited_node];
  }

  // Changes within a phase wait until switching takes no more than its share of the time, and every
  // change has to save more in what is left of the phase than it costs itself.
  Decision settle(const Observation& seen, const Task& task, const Costs& costs,
                  const FrontChoice& wanted, std::string_view reason) {
    const bool same_phase = seen.phase == last_phase_ && seen.batch == last_batch_;
    const double change_s = machine_.change_s(last_.setting, wanted.setting);
    const bool early = seen.now_s - changed_s_ < change_s / options_.switching_share;
    const bool urgent = !reason.empty() || options_.use_deadline;
    const bool small =
        std::fabs(wanted.power_w - last_power_w_) < options_.least_gain * last_power_w_;
    const bool held = !last_.setting.clusters.empty() && last_phase_ != Phase::kIdle;
    if ((same_phase && held && (small || (early && !urgent))) ||
        (held && reason.empty() && !pays(seen, task, costs, wanted, change_s))) {
      return {.setting = last_.setting, .reason = reason};
    }
    last_ = {.setting = wanted.setting, .reason = reason};
    last_phase_ = seen.phase;
    last_batch_ = seen.batch;
    last_power_w_ = wanted.power_w;
    changed_s_ = seen.now_s;
    return last_;
  }

  bool pays(const Observation& seen, const Task& task, const Costs& costs,
            const FrontChoice& wanted, double change_s) const {
    const FrontChoice stay = cost_of(machine_, costs.work, context_.load->dtype, last_.setting,
                                     kTypicalDieC, options_.platform_on_anyway);
    // One that was slower than is wanted now has to give way whatever it saves.
    if (stay.step_s > wanted.step_s * 1.001) return true;
    const double steps = task.kind == Kind::kPrefill ? 1 : seen.longest_tokens_left;
    return (stay.energy_j - wanted.energy_j) * steps > change_s * wanted.power_w;
  }

  // Of clusters that are alike the cooler one works more.
  Setting rotated(const Observation& seen, Setting setting) {
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      for (size_t j = i + 1; j < machine_.clusters() && j < seen.cluster_c.size(); ++j) {
        if (!machine_.alike(i, j)) continue;
        bool& swapped = swapped_[{i, j}];
        const size_t busy = swapped ? j : i, rested = swapped ? i : j;
        const bool uneven = setting.clusters[i].cores != setting.clusters[j].cores;
        if (uneven && seen.cluster_c[busy] - seen.cluster_c[rested] > options_.rotate_gap_c &&
            (setting.clusters[i].cores > setting.clusters[j].cores)) {
          swapped = !swapped;
        }
        if (swapped) std::swap(setting.clusters[i], setting.clusters[j]);
      }
    }
    return setting;
  }

  // Prompt tokens beside each step of what decodes now.
  double beside(const Observation& seen) const {
    return options_.interleave ? free_.beside(seen.decoding, seen.context) : 0;
  }

  const PolicyContext context_;
  const PhaseAwareOptions options_;
  const Machine& machine_;
  const FreePromptTokens free_;
  mutable std::map<std::tuple<Kind, bool, int, int>, Costs> costs_;
  std::map<std::pair<size_t, size_t>, bool> swapped_;
  std::optional<LimitedHeat> heat_;
  StagedThrottle throttle_;
  IdlePredictor idle_;
  double budget_w_ = 0, budget_s_ = -1;
  double power_w_ = 0, credit_j_ = 0, drawn_j_ = 0, mean_w_ = 0, seen_s_ = 0, seen_j_ = 0,
         foreseen_c_ = -300;
  Decision last_;
  Phase last_phase_ = Phase::kIdle;
  int last_batch_ = 0;
  double last_power_w_ = 0, changed_s_ = -1;
};

}  // namespace

std::unique_ptr<Policy> phase_aware_policy(const PolicyContext& context,
                                           const PhaseAwareOptions& options) {
  return std::make_unique<PhaseAware>(context, options);
}

}  // namespace edgewright
