#include "split/speculation.h"

#include <algorithm>
#include <cmath>

namespace edgewright {

double expected_tokens(double acceptance, int length) {
  if (acceptance >= 1) return length + 1;
  return (1 - std::pow(acceptance, length + 1)) / (1 - acceptance);
}

double round_ms(const SpeculationCosts& costs, int length) {
  return length * (costs.draft_ms + costs.check_ms) + costs.round_trip_ms + costs.target_ms;
}

SpeculationPlan plan_speculation(const SpeculationCosts& costs, double acceptance, int longest) {
  SpeculationPlan plan;
  plan.plain_ms = plan.ms_per_token = costs.target_ms;
  for (int length = 1; length <= longest; ++length) {
    const double ms = round_ms(costs, length) / expected_tokens(acceptance, length);
    if (plan.plain_ms / ms <= plan.best_speedup) continue;
    plan.best_speedup = plan.plain_ms / ms;
    plan.best_length = length;
  }
  if (plan.best_speedup > 1) {
    plan.length = plan.best_length;
    plan.speedup = plan.best_speedup;
    plan.ms_per_token = plan.plain_ms / plan.speedup;
  }
  return plan;
}

SpeculationControl::SpeculationControl(const SpeculationCosts& costs, double acceptance)
    : costs_(costs), acceptance_(acceptance), accepted_(acceptance * checks_) {
  length_ = plan_speculation(costs_, acceptance_).length;
}

void SpeculationControl::observe(int drafted, int accepted) {
  // Some hundred tokens are remembered.
  constexpr double kKept = 0.99;
  // The first token that is refused was checked too; those behind it were not.
  const int checked = std::min(drafted, accepted + 1);
  const double keep = std::pow(kKept, checked);
  checks_ = keep * checks_ + checked;
  accepted_ = keep * accepted_ + accepted;
  acceptance_ = std::clamp(accepted_ / checks_, 0.0, 1.0);
  update();
}

void SpeculationControl::set_costs(const SpeculationCosts& costs) {
  costs_ = costs;
  update();
}

void SpeculationControl::update() {
  constexpr double kWorthChanging = 0.95;
  const SpeculationPlan plan = plan_speculation(costs_, acceptance_);
  const double now_ms = length_ == 0
                            ? costs_.target_ms
                            : round_ms(costs_, length_) / expected_tokens(acceptance_, length_);
  if (plan.ms_per_token < kWorthChanging * now_ms) length_ = plan.length;
}

}  // namespace edgewright
