#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "power/timer_events.h"

namespace edgewright {

// The menu idle governor (drivers/cpuidle/governors/menu.c of Linux 5.4) of a CPU whose tick is
// stopped while it sleeps and on which nobody waits for disks: the time to the next timer, times
// how much of such times was slept before, or what the last eight sleeps have in common.
class MenuGovernor {
 public:
  // States shallow first; the first is always allowed.
  explicit MenuGovernor(std::vector<TimerEventsGovernor::State> states);

  // The state for a sleep whose next timer is `sleep_length_ns` away. A state whose exit takes
  // longer than the limit, or than the sleep is foreseen to last, is not taken.
  size_t select(int64_t sleep_length_ns, int64_t exit_limit_ns = INT64_MAX);
  // What came of the last choice.
  void reflect(int64_t slept_ns);
  // How long the last choice was foreseen to last.
  int64_t foreseen_us() const { return foreseen_us_; }

 private:
  static constexpr size_t kBuckets = 6, kIntervals = 8;
  int64_t typical_interval_us(int64_t below_us) const;

  std::vector<TimerEventsGovernor::State> states_;
  std::array<uint32_t, kBuckets> factors_{};  // of the time to the timer, in 1/8192
  std::array<int64_t, kIntervals> intervals_us_{};
  size_t next_interval_ = 0, bucket_ = 0, chosen_ = 0;
  int64_t timer_us_ = 0, foreseen_us_ = 0;
};

}  // namespace edgewright
