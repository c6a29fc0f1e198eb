#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace edgewright {

// The timer-events-oriented idle governor (drivers/cpuidle/governors/teo.c of Linux 6.6, without
// its utilisation shortcut): chooses an idle state from the time to the next timer and from how
// often sleep was cut short before.
class TimerEventsGovernor {
 public:
  struct State {
    int64_t residency_ns = 0;  // sleeping for less does not pay
    int64_t exit_ns = 0;
  };
  // States shallow first; the first is always allowed.
  explicit TimerEventsGovernor(std::vector<State> states);

  // The state for a sleep whose next timer is `sleep_length_ns` away. A state whose exit takes
  // longer than the limit is not taken.
  size_t select(int64_t sleep_length_ns, int64_t exit_limit_ns = INT64_MAX);
  // What came of the last choice. `timer_woke`: the sleep lasted to the timer.
  void reflect(int64_t slept_ns, bool timer_woke);

 private:
  struct Bin {
    uint32_t intercepts = 0, hits = 0, recent = 0;
  };
  size_t shallower_by_history(size_t candidate, uint32_t intercepts, uint32_t recent,
                              bool by_intercepts, bool by_recent) const;

  static constexpr size_t kRecent = 9;
  std::vector<State> states_;
  std::vector<Bin> bins_;
  uint32_t total_ = 0;
  std::array<int, kRecent> recent_{};
  size_t next_recent_ = 0;
  int64_t sleep_length_ns_ = 0;
  size_t chosen_ = 0;
};

// The energy of sleeping `idle_us` in a state: entering and leaving it at `active_uw`, the rest at
// the state's own power. By it, race-to-idle and pacing are compared.
double idle_energy_uj(double idle_us, double entry_us, double exit_us, double active_uw,
                      double state_uw);

}  // namespace edgewright
