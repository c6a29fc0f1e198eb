#pragma once

#include <string>
#include <vector>

#include "power/front.h"
#include "power/thermal_model.h"

namespace edgewright {

struct PlanLimits {
  double token_s = 0;        // of one decode step; 0: `slack` times the quickest
  double first_token_s = 0;  // of a prompt; 0: `slack` times the quickest
  double slack = 1.2;
  double skin_c = 0;         // 0: none
  double battery_hours = 0;  // 0: none
};
struct PlanLoad {
  double prompt_tokens = 128, output_tokens = 128;
  double ambient_c = 25;
};

// A way to serve: precision, batch, settings of both phases and the share of time at work.
struct OperatingPlan {
  std::string precision;
  int batch = 1;
  Setting prefill, decode;
  double duty = 1;
  double token_s = 0, first_token_s = 0;
  double energy_j_per_token = 0;  // of a whole request over its output tokens
  double power_w = 0;             // on average at this duty
  double sustained_tokens_per_s = 0;
  double skin_c = 0, die_c = 0;  // settled
  double battery_hours = 0;
};
struct ConstraintCost {
  std::string constraint;
  bool binding = false;
  double energy_j_per_token = 0;  // of the best plan without it
};
struct PlanResult {
  OperatingPlan choice;
  std::vector<OperatingPlan> front;  // in token time and energy, quickest first, within the limits
  std::vector<ConstraintCost> costs;
  int64_t examined = 0;
};

// The plan of least energy within the limits, over precision, batch, cores, frequency and duty.
// kCheckFailed naming the limit that cannot be kept.
Result<PlanResult> make_plan(const Device& device, const std::vector<LanguageLoad>& loads,
                             const std::vector<int>& batches, const PlanLoad& load,
                             const PlanLimits& limits);

}  // namespace edgewright
