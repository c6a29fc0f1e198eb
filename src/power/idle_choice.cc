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
    menus_.emplace_back(states);
    timer_events_.emplace_back(std::move(states));
  }
}

void IdleChoice::begin(double timer_s, Wish wish) {
  resting_ = true;
  for (size_t i = 0; i < asleep_.size(); ++i) {
    const size_t by_events = timer_events_[i].select(nanoseconds(timer_s));
    const size_t by_menu = menus_[i].select(nanoseconds(timer_s));
    asleep_[i] = wish == Wish::kDeep || (wish == Wish::kTimerEvents && by_events > 0) ||
                 (wish == Wish::kMenu && by_menu > 0);
  }
}

void IdleChoice::end(double slept_s, bool by_timer) {
  resting_ = false;
  for (TimerEventsGovernor& governor : timer_events_) {
    governor.reflect(nanoseconds(slept_s), by_timer);
  }
  for (MenuGovernor& governor : menus_) governor.reflect(nanoseconds(slept_s));
}

}  // namespace edgewright
