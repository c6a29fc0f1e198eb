#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace edgewright {

struct CounterFigure {
  std::string name;  // "cycles", "instructions", "cache misses", "branch misses"
  int64_t count = 0;
};

// What the processor counted in this thread while `work` ran. kUnsupported saying why where the
// system gives no counters: virtual machines and containers usually do not.
Result<std::vector<CounterFigure>> count_events(const std::function<Status()>& work);

}  // namespace edgewright
