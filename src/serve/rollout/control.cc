#include "serve/rollout/control.h"

#include <fmt/format.h>

namespace edgewright {
namespace {

constexpr std::string_view kStages[] = {"idle", "shadow", "canary", "promoted", "rolled back"};
// A rollout of a week at a check a minute would otherwise grow without end.
constexpr size_t kMaxHistory = 1000;

void note(ControlState& state, std::string line) {
  if (state.history.size() < kMaxHistory) state.history.push_back(std::move(line));
}

double mean(const AnswerCounts& counts) {
  return counts.requests == 0 ? 0 : counts.latency_ms_sum / static_cast<double>(counts.requests);
}

ControlState to_canary(const ControlPlan& plan, ControlState state, int64_t now_ms) {
  state.stage = ControlStage::kCanary;
  state.rollout = begin(plan.canary, state.rollout, state.rollout.candidate, now_ms);
  state.service = state.candidate = {};
  note(state, "canary begins");
  return state;
}

ControlState to_rolled_back(ControlState state, const std::string& reason) {
  state.stage = ControlStage::kRolledBack;
  state.rollout.phase = RolloutPhase::kRolledBack;
  state.rollout.weight = 0;
  state.rollout.reason = reason;
  note(state, "rolled back: " + reason);
  return state;
}

}  // namespace

std::string_view stage_name(ControlStage stage) { return kStages[static_cast<size_t>(stage)]; }

std::vector<std::string> violations(const ControlPlan& plan, const ControlState& state) {
  std::vector<std::string> broken = violations(plan.canary, state.rollout);
  const ShadowTest& shadow = plan.shadow;
  if (shadow.tolerated_flips <= 0 || shadow.refused_flips <= shadow.tolerated_flips ||
      shadow.refused_flips >= 1 || shadow.false_alarm <= 0 || shadow.false_alarm >= 0.5 ||
      shadow.missed <= 0 || shadow.missed >= 0.5 || shadow.most_requests < 1) {
    broken.push_back(fmt::format(
        "a shadow test that tolerates {} and refuses {} flips, with errors {} and {} in {}; "
        "expected 0 < tolerated < refused < 1 and errors between 0 and 0.5",
        shadow.tolerated_flips, shadow.refused_flips, shadow.false_alarm, shadow.missed,
        shadow.most_requests));
  }
  if (plan.min_requests < 1 || plan.max_error_rate < 0 || plan.max_latency_ratio <= 0) {
    broken.push_back("checks of no requests, or limits below 0");
  }
  return broken;
}

ControlState begin(const ControlPlan& plan, std::string service, std::string candidate,
                   int64_t now_ms) {
  ControlState state;
  state.rollout.service = std::move(service);
  if (candidate == state.rollout.service) return state;
  state.rollout.candidate = std::move(candidate);
  if (!plan.with_shadow) return to_canary(plan, std::move(state), now_ms);
  state.stage = ControlStage::kShadow;
  note(state, "shadow begins");
  return state;
}

ControlState saw_pair(const ControlPlan& plan, ControlState state, const ShadowPair& pair,
                      int64_t now_ms) {
  if (state.stage != ControlStage::kShadow) return state;
  state.shadow = observe(plan.shadow, state.shadow, pair);
  const ShadowState& shadow = state.shadow;
  if (shadow.verdict == ShadowVerdict::kWorse) {
    return to_rolled_back(std::move(state),
                          fmt::format("{} of {} top answers differ, mean divergence {:.4f}",
                                      shadow.flips, shadow.requests, shadow.mean_divergence()));
  }
  if (shadow.verdict == ShadowVerdict::kEqual) {
    note(state,
         fmt::format("shadow passed: {} of {} top answers differ", shadow.flips, shadow.requests));
    return to_canary(plan, std::move(state), now_ms);
  }
  return state;
}

ControlState saw_answer(ControlState state, bool by_candidate, bool failed, double latency_ms) {
  if (state.stage != ControlStage::kCanary) return state;
  AnswerCounts& counts = by_candidate ? state.candidate : state.service;
  ++counts.requests;
  counts.failures += failed ? 1 : 0;
  counts.latency_ms_sum += latency_ms;
  return state;
}

AnalysisPhase judge_canary(const ControlPlan& plan, const ControlState& state) {
  // At no weight there is nothing to judge by: the first step gives it some.
  if (state.rollout.weight == 0) return AnalysisPhase::kSuccessful;
  if (state.candidate.requests < plan.min_requests) return AnalysisPhase::kInconclusive;
  const double error_rate =
      static_cast<double>(state.candidate.failures) / static_cast<double>(state.candidate.requests);
  if (error_rate > plan.max_error_rate) return AnalysisPhase::kFailed;
  const bool slower = state.service.requests >= plan.min_requests && mean(state.service) > 0 &&
                      mean(state.candidate) > plan.max_latency_ratio * mean(state.service);
  return slower ? AnalysisPhase::kFailed : AnalysisPhase::kSuccessful;
}

ControlState advance(const ControlPlan& plan, ControlState state, int64_t now_ms) {
  if (state.stage != ControlStage::kCanary || now_ms < state.rollout.next_check_ms) return state;
  const AnalysisPhase found = judge_canary(plan, state);
  note(state, fmt::format("check at {} %: {} ({} requests, {} failed, {:.3f} ms against {:.3f})",
                          state.rollout.weight, phase_name(found), state.candidate.requests,
                          state.candidate.failures, mean(state.candidate), mean(state.service)));
  state.rollout = check(plan.canary, std::move(state.rollout), found, now_ms);
  // What decided nothing goes on counting, so that a quiet service is judged in the end.
  if (found != AnalysisPhase::kInconclusive) state.service = state.candidate = {};
  if (state.rollout.phase == RolloutPhase::kPromoted) {
    state.stage = ControlStage::kPromoted;
    note(state, "promoted");
  }
  if (state.rollout.phase == RolloutPhase::kRolledBack) {
    const std::string reason = state.rollout.reason;
    return to_rolled_back(std::move(state), reason);
  }
  return state;
}

ControlState abort_rollout(ControlState state, const std::string& reason) {
  if (state.stage != ControlStage::kShadow && state.stage != ControlStage::kCanary) return state;
  return to_rolled_back(std::move(state), reason);
}

}  // namespace edgewright
