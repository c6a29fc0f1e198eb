#pragma once

#include <vector>

#include "power/machine.h"
#include "power/menu_governor.h"
#include "power/timer_events.h"

namespace edgewright {

// Which clusters sleep while there is no work: by one of the kernel's own governors, which learn
// from how long they slept, or as a policy says.
class IdleChoice {
 public:
  explicit IdleChoice(const Machine& machine);

  // Work has ended; `timer_s`: until the next timer that is known to go off.
  enum class Wish { kTimerEvents, kMenu, kShallow, kDeep };
  void begin(double timer_s, Wish wish);
  // Work has come after so long. Clusters that sleep() are awake from then on.
  void end(double slept_s, bool by_timer);
  bool resting() const { return resting_; }
  bool sleeps(size_t cluster) const { return resting_ && asleep_[cluster]; }

 private:
  std::vector<TimerEventsGovernor> timer_events_;
  std::vector<MenuGovernor> menus_;
  std::vector<bool> asleep_;
  bool resting_ = false;
};

}  // namespace edgewright
