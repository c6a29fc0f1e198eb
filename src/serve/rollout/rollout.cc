#include "serve/rollout/rollout.h"

#include <algorithm>

namespace edgewright {
namespace {

constexpr std::string_view kNames[] = {"idle", "progressing", "promoted", "rolled-back"};

// FNV-1a with a final mix, so that keys that differ in their last letter spread too.
uint64_t hash_of(std::string_view key) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char letter : key) {
    hash ^= static_cast<unsigned char>(letter);
    hash *= 0x100000001b3ULL;
  }
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  return hash ^ hash >> 33;
}

}  // namespace

int64_t promotion_ms(const RolloutPlan& plan) {
  return plan.interval_ms * plan.max_weight / plan.step_weight;
}
int64_t rollback_ms(const RolloutPlan& plan) { return plan.interval_ms * plan.threshold; }

std::string_view phase_name(RolloutPhase phase) { return kNames[static_cast<size_t>(phase)]; }

std::vector<std::string> violations(const RolloutPlan& plan, const RolloutState& state) {
  std::vector<std::string> broken;
  if (plan.step_weight < 1 || plan.max_weight < plan.step_weight || plan.max_weight > 100 ||
      plan.threshold < 1 || plan.interval_ms < 1) {
    broken.push_back(fmt::format("a plan of steps of {} up to {} percent, {} bad checks, {} ms",
                                 plan.step_weight, plan.max_weight, plan.threshold,
                                 plan.interval_ms));
  }
  const bool progressing = state.phase == RolloutPhase::kProgressing;
  if (state.weight < 0 || state.weight > plan.max_weight || (!progressing && state.weight != 0)) {
    broken.push_back(fmt::format("weight {} while {}", state.weight, phase_name(state.phase)));
  }
  if (progressing && (state.candidate.empty() || state.candidate == state.service)) {
    broken.push_back(fmt::format("candidate '{}' against '{}'", state.candidate, state.service));
  }
  if (state.bad_checks < 0 || state.good_checks < 0 ||
      (progressing && state.bad_checks >= plan.threshold)) {
    broken.push_back(fmt::format("{} bad and {} good checks while {}", state.bad_checks,
                                 state.good_checks, phase_name(state.phase)));
  }
  return broken;
}

RolloutState begin(const RolloutPlan& plan, const RolloutState& state, std::string candidate,
                   int64_t now_ms) {
  RolloutState next;
  next.service = state.service;
  if (candidate == state.service) return next;
  next.phase = RolloutPhase::kProgressing;
  next.candidate = std::move(candidate);
  next.next_check_ms = now_ms + plan.interval_ms;
  return next;
}

RolloutState check(const RolloutPlan& plan, RolloutState state, AnalysisPhase found,
                   int64_t now_ms) {
  if (state.phase != RolloutPhase::kProgressing || now_ms < state.next_check_ms) return state;
  state.next_check_ms = now_ms + plan.interval_ms;
  if (found == AnalysisPhase::kFailed || found == AnalysisPhase::kError) {
    ++state.bad_checks;
    if (state.bad_checks < plan.threshold) return state;
    return roll_back(std::move(state), fmt::format("{} bad checks", plan.threshold));
  }
  if (found != AnalysisPhase::kSuccessful) return state;
  ++state.good_checks;
  state.weight = std::min(plan.max_weight, state.weight + plan.step_weight);
  if (state.weight < plan.max_weight) return state;
  state.phase = RolloutPhase::kPromoted;
  state.service = state.candidate;
  state.weight = 0;
  return state;
}

RolloutState roll_back(RolloutState state, std::string reason) {
  if (state.phase != RolloutPhase::kProgressing) return state;
  state.phase = RolloutPhase::kRolledBack;
  state.weight = 0;
  state.reason = std::move(reason);
  return state;
}

bool goes_to_candidate(const RolloutState& state, std::string_view key) {
  return state.phase == RolloutPhase::kProgressing &&
         static_cast<int64_t>(hash_of(key) % 10000) < int64_t{100} * state.weight;
}

}  // namespace edgewright
