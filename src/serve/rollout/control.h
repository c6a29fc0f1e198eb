#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "serve/rollout/rollout.h"
#include "serve/rollout/shadow.h"

namespace edgewright {

// A whole rollout: first the candidate gets copies of requests (shadow), then a rising share of the
// requests themselves (canary), and at last all of them; or nothing, as soon as it is found worse.
struct ControlPlan {
  RolloutPlan canary;
  ShadowTest shadow;
  bool with_shadow = true;
  // A check of the canary: the candidate's requests since the last one.
  int64_t min_requests = 20;     // fewer decide nothing
  double max_error_rate = 0.01;  // share of failed requests
  double max_latency_ratio = 2;  // of mean latencies, candidate / service
};

enum class ControlStage : uint8_t { kIdle, kShadow, kCanary, kPromoted, kRolledBack };
std::string_view stage_name(ControlStage stage);

// What was answered since the last check.
struct AnswerCounts {
  int64_t requests = 0, failures = 0;
  double latency_ms_sum = 0;
  bool operator==(const AnswerCounts&) const = default;
};

// A plain value: all that is known. `rollout` has the versions from the shadow stage on.
struct ControlState {
  ControlStage stage = ControlStage::kIdle;
  RolloutState rollout;
  ShadowState shadow;
  AnswerCounts service, candidate;
  std::vector<std::string> history;  // one line for each change of stage and each check
};
std::vector<std::string> violations(const ControlPlan& plan, const ControlState& state);

// All of these give the state afterwards; what does not apply changes nothing.
ControlState begin(const ControlPlan& plan, std::string service, std::string candidate,
                   int64_t now_ms);
ControlState saw_pair(const ControlPlan& plan, ControlState state, const ShadowPair& pair,
                      int64_t now_ms);
ControlState saw_answer(ControlState state, bool by_candidate, bool failed, double latency_ms);
// Judges the canary when its time has come.
ControlState advance(const ControlPlan& plan, ControlState state, int64_t now_ms);
ControlState abort_rollout(ControlState state, const std::string& reason);

// What one check finds in the counts.
AnalysisPhase judge_canary(const ControlPlan& plan, const ControlState& state);

}  // namespace edgewright
