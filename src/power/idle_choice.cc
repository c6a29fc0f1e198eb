#include "power/idle_choice.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

int64_t nanoseconds(double seconds) {
  constexpr double kLongestS = 1e9;
  return static_cast<int64_t>(std::min(seconds, kLongestS) * 1e9);
}

}  // namespace

IdleChoice::IdleChoice(const Machine& machine) : asleep_(machine.clusters(), false) {
  for (size_t i = 0; i < machine.clusters(); ++i) {
    std::vector<TimerEventsGovernor::State> states = {{}};  // a stopped clock
    if (std::isfinite(machine.sleep_residency_s(i))) {
      states.push_back({.residency_ns = nanoseconds(machine.sleep_residency_s(i)),
                        .exit_ns = nanoseconds(machine.sleep_switch_s(i))});
    }
    governors_.emplace_back(std::move(states));
  }
}

void IdleChoice::begin(double timer_s, Wish wish) {
  resting_ = true;
  for (size_t i = 0; i < governors_.size(); ++i) {
    const size_t chosen = governors_[i].select(nanoseconds(timer_s));
    asleep_[i] = wish == Wish::kDeep || (wish == Wish::kKernel && chosen > 0);
  }
}

void IdleChoice::end(double slept_s, bool by_timer) {
  resting_ = false;
  for (TimerEventsGovernor& governor : governors_) governor.reflect(nanoseconds(slept_s), by_timer);
}

}  // namespace edgewright
