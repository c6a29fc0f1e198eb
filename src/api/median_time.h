#pragma once

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/result.h"

namespace edgewright {

inline constexpr double kEnoughUs = 200000;  // of calls, to know a median

// How long one call of `run` takes, in microseconds: the median of at least five calls and of as
// many more, up to 200, as fit in the time, each after a pause. `run` returns a Status; one call
// goes before.
template <class Run>
Result<double> median_us(Run&& run, double enough_us = kEnoughUs,
                         std::chrono::milliseconds pause = {}) {
  using Clock = std::chrono::steady_clock;
  constexpr size_t kFewest = 5, kMost = 200;
  EDGEWRIGHT_TRY(run());
  std::vector<double> times;
  double total_us = 0;
  while (times.size() < kFewest || (total_us < enough_us && times.size() < kMost)) {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    const auto start = Clock::now();
    EDGEWRIGHT_TRY(run());
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    total_us += times.back();
  }
  const auto middle = times.begin() + std::ssize(times) / 2;
  std::ranges::nth_element(times, middle);
  return *middle;
}

}  // namespace edgewright
