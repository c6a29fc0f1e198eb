#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "serve/rollout/analysis.h"

namespace edgewright {

// A candidate takes over from the model in service step by step, as in Flagger: every interval its
// metrics are checked; a good check raises its share of the requests, more bad ones than the
// threshold send it back to nothing.
struct RolloutPlan {
  int max_weight = 50;   // percent; a candidate that reaches it is promoted
  int step_weight = 10;  // percent for each good check
  int threshold = 5;     // bad checks in all, after which the candidate is rolled back
  int64_t interval_ms = 60000;
};
// Flagger's own formulas for the shortest promotion and for a rollback when every check fails.
int64_t promotion_ms(const RolloutPlan& plan);  // interval x max weight / step weight
int64_t rollback_ms(const RolloutPlan& plan);   // interval x threshold

enum class RolloutPhase : uint8_t {
  kIdle,         // one model in service
  kProgressing,  // the candidate has `weight` percent
  kPromoted,     // the candidate is the model in service
  kRolledBack,   // the candidate has nothing
};
std::string_view phase_name(RolloutPhase phase);

// A plain value: all that is known of a rollout.
struct RolloutState {
  RolloutPhase phase = RolloutPhase::kIdle;
  std::string service, candidate;  // versions
  int weight = 0;                  // percent of the requests that the candidate gets
  int bad_checks = 0, good_checks = 0;
  int64_t next_check_ms = 0;
  std::string reason;  // why it was rolled back
  bool operator==(const RolloutState&) const = default;
};
// Every broken rule of a state, in words.
std::vector<std::string> violations(const RolloutPlan& plan, const RolloutState& state);

// A new candidate begins, at no weight, with its first check an interval later. One that is already
// in progress begins anew, so that what was checked is what is promoted.
RolloutState begin(const RolloutPlan& plan, const RolloutState& state, std::string candidate,
                   int64_t now_ms);
// What one check found. Before its time, or when nothing is in progress, nothing changes. An
// inconclusive check leaves the weight where it is.
RolloutState check(const RolloutPlan& plan, RolloutState state, AnalysisPhase found,
                   int64_t now_ms);
// At once, whatever the state; a second time changes nothing.
RolloutState roll_back(RolloutState state, std::string reason);

// Whether a request goes to the candidate. The same key goes to the same side as long as the weight
// does not fall, and a rising weight only moves keys to the candidate.
bool goes_to_candidate(const RolloutState& state, std::string_view key);

}  // namespace edgewright
