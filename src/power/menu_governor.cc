#include "power/menu_governor.h"

#include <algorithm>
#include <limits>

#include "base/result.h"

namespace edgewright {
namespace {

constexpr int64_t kResolution = 1024, kDecay = 8;
constexpr int64_t kUnity = kResolution * kDecay;
// Longer sleeps are as good as any.
constexpr int64_t kInterestingUs = 50'000;
constexpr int64_t kNoInterval = std::numeric_limits<uint32_t>::max();
constexpr int64_t kMostUs = std::numeric_limits<int32_t>::max();

// Sleeps of like length are cut short alike: a bucket for each decade from 10 us on.
size_t bucket_of(int64_t duration_us) {
  size_t bucket = 0;
  for (int64_t bound = 10; bound <= 100'000 && duration_us >= bound; bound *= 10) ++bucket;
  return bucket;
}

}  // namespace

MenuGovernor::MenuGovernor(std::vector<TimerEventsGovernor::State> states)
    : states_(std::move(states)) {
  EDGEWRIGHT_CHECK(!states_.empty());
  factors_.fill(kUnity);
}

// The mean of the last sleeps where they are alike: a deviation of 20 us at most, or of less than a
// sixth of the mean. The longest are left out, down to six of eight.
int64_t MenuGovernor::typical_interval_us(int64_t below_us) const {
  std::array<int64_t, kIntervals> sorted = intervals_us_;
  std::ranges::sort(sorted);
  if (sorted.front() >= below_us) return kNoInterval;
  size_t count = kIntervals;
  while (true) {
    const auto n = static_cast<int64_t>(count);
    int64_t sum = 0, variance = 0;
    for (size_t i = 0; i < count; ++i) sum += sorted[i];
    const int64_t mean = sum / n;
    for (size_t i = 0; i < count; ++i) variance += (sorted[i] - mean) * (sorted[i] - mean);
    variance /= n;
    const bool most = count * 4 >= kIntervals * 3;
    if ((most && mean * mean > variance * 36) || variance <= 400) return mean;
    if (count * 4 <= kIntervals * 3) return kNoInterval;
    const int64_t longest = sorted[count - 1];
    while (count > 0 && sorted[count - 1] == longest) --count;
    if (count == 0) return kNoInterval;
  }
}

size_t MenuGovernor::select(int64_t sleep_length_ns, int64_t exit_limit_ns) {
  timer_us_ = std::min(sleep_length_ns / 1000, kMostUs);
  bucket_ = bucket_of(timer_us_);
  foreseen_us_ = (timer_us_ * factors_[bucket_] + kUnity / 2) / kUnity;
  foreseen_us_ = std::min(foreseen_us_, typical_interval_us(foreseen_us_));
  const int64_t limit_ns = std::min(exit_limit_ns, foreseen_us_ * 1000);
  chosen_ = 0;
  for (size_t i = 1; i < states_.size(); ++i) {
    if (states_[i].residency_ns > foreseen_us_ * 1000 || states_[i].exit_ns > limit_ns) break;
    chosen_ = i;
  }
  return chosen_;
}

void MenuGovernor::reflect(int64_t slept_ns) {
  int64_t measured_us = std::min(slept_ns / 1000, kMostUs);
  const int64_t exit_us = states_[chosen_].exit_ns / 1000;
  measured_us = measured_us > 2 * exit_us ? measured_us - exit_us : measured_us / 2;
  measured_us = std::min(measured_us, timer_us_);
  uint32_t& factor = factors_[bucket_];
  factor -= factor / kDecay;
  const bool short_sleep = timer_us_ > 0 && measured_us < kInterestingUs;
  factor +=
      static_cast<uint32_t>(short_sleep ? kResolution * measured_us / timer_us_ : kResolution);
  intervals_us_[next_interval_] = measured_us;
  next_interval_ = (next_interval_ + 1) % kIntervals;
}

}  // namespace edgewright
