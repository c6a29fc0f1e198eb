#pragma once

#include <string>
#include <string_view>

#include "serve/refusal.h"
#include "serve/rollout/control.h"

namespace edgewright {

// A rollout as JSON: what the rollout address takes and shows, and what a model's folder keeps, so
// that a restart serves the version that was promoted or kept.

struct RolloutOrder {
  std::string candidate;
  ControlPlan plan;
};
// {"candidate": "2", "max_weight": 50, "shadow": {"most_requests": 300, ...}, ...}: what is not
// said is as in ControlPlan; "shadow": false leaves it out. Refuses plans that cannot decide.
Reply<RolloutOrder> decode_rollout_order(std::string_view body);

std::string encode_rollout(const std::string& model, const ControlPlan& plan,
                           const ControlState& state);

// FOLDER/rollout.json.
Status record_rollout(const std::string& model_folder, const ControlState& state);
// The version in service that it names; 0 where there is none.
Result<int64_t> recorded_service(const std::string& model_folder);

}  // namespace edgewright
