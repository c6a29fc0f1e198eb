#include "power/timer_events.h"

#include <algorithm>

#include "base/result.h"

namespace edgewright {
namespace {

constexpr uint32_t kPulse = 1024;
constexpr int kDecayShift = 3;

}  // namespace

TimerEventsGovernor::TimerEventsGovernor(std::vector<State> states)
    : states_(std::move(states)), bins_(states_.size()) {
  EDGEWRIGHT_CHECK(!states_.empty());
  recent_.fill(-1);
}

size_t TimerEventsGovernor::select(int64_t sleep_length_ns, int64_t exit_limit_ns) {
  sleep_length_ns_ = sleep_length_ns;
  size_t candidate = 0, allowed = 0;
  uint32_t intercepts = 0, hits = 0, recent = 0;  // of all shallower states
  uint32_t candidate_intercepts = 0, candidate_hits = 0, candidate_recent = 0;
  for (size_t i = 1; i < states_.size(); ++i) {
    intercepts += bins_[i - 1].intercepts;
    hits += bins_[i - 1].hits;
    recent += bins_[i - 1].recent;
    if (states_[i].residency_ns > sleep_length_ns) break;
    candidate = i;
    if (states_[i].exit_ns <= exit_limit_ns) allowed = i;
    candidate_intercepts = intercepts;
    candidate_hits = hits;
    candidate_recent = recent;
  }
  if (candidate > 0) {
    const bool by_intercepts = 2 * candidate_intercepts > total_ - candidate_hits;
    const bool by_recent = candidate_recent > kRecent / 2;
    if (by_intercepts || by_recent) {
      candidate = shallower_by_history(candidate, candidate_intercepts, candidate_recent,
                                       by_intercepts, by_recent);
    }
  }
  chosen_ = std::min(candidate, allowed);
  return chosen_;
}

// The deepest state whose residency was reached in over half of the cases that speak against the
// candidate.
size_t TimerEventsGovernor::shallower_by_history(size_t candidate, uint32_t intercepts,
                                                 uint32_t recent, bool by_intercepts,
                                                 bool by_recent) const {
  uint32_t intercept_sum = 0, recent_sum = 0;
  for (size_t i = candidate; i-- > 0;) {
    intercept_sum += bins_[i].intercepts;
    recent_sum += bins_[i].recent;
    if ((!by_recent || 2 * recent_sum > recent) &&
        (!by_intercepts || 2 * intercept_sum > intercepts)) {
      return i;
    }
  }
  return candidate;
}

void TimerEventsGovernor::reflect(int64_t slept_ns, bool timer_woke) {
  int64_t measured = INT64_MAX;
  if (!timer_woke) {
    // Half of the exit latency stands for its average.
    const int64_t exit_ns = states_[chosen_].exit_ns;
    measured = slept_ns >= exit_ns ? slept_ns - exit_ns / 2 : slept_ns / 2;
  }
  total_ = 0;
  size_t by_timer = 0, by_duration = 0;
  for (size_t i = 0; i < states_.size(); ++i) {
    bins_[i].hits -= bins_[i].hits >> kDecayShift;
    bins_[i].intercepts -= bins_[i].intercepts >> kDecayShift;
    total_ += bins_[i].hits + bins_[i].intercepts;
    if (states_[i].residency_ns <= sleep_length_ns_) {
      by_timer = i;
      if (states_[i].residency_ns <= measured) by_duration = i;
    }
  }
  int& slot = recent_[next_recent_];
  next_recent_ = (next_recent_ + 1) % kRecent;
  if (slot >= 0) --bins_[static_cast<size_t>(slot)].recent;
  if (by_timer == by_duration) {
    bins_[by_timer].hits += kPulse;
    slot = -1;
  } else {
    bins_[by_duration].intercepts += kPulse;
    ++bins_[by_duration].recent;
    slot = static_cast<int>(by_duration);
  }
  total_ += kPulse;
}

double idle_energy_uj(double idle_us, double entry_us, double exit_us, double active_uw,
                      double state_uw) {
  const double switching_us = std::min(idle_us, entry_us + exit_us);
  return (switching_us * active_uw + (idle_us - switching_us) * state_uw) * 1e-6;
}

}  // namespace edgewright
