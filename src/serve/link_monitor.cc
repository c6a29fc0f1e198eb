#include "serve/link_monitor.h"

namespace edgewright {

void LinkMonitor::answered(double found_us, double expected_us) {
  failures_ = 0;
  if (change_.observe(found_us, expected_us)) has_changed_ = true;
}

void LinkMonitor::failed(RemoteOutcome outcome) {
  ++failures_;
  const bool is_gone = outcome == RemoteOutcome::kUnreachable;
  if (is_gone || failures_ >= options_.failures_until_down) is_up_ = false;
  has_changed_ = true;
}

bool LinkMonitor::wants_assessment(double now_us, bool is_used) const {
  if (is_assessing_) return false;
  if (!is_up_) return now_us - last_us_ >= options_.assess_down_us;
  return has_changed_ || (!is_used && now_us - last_us_ >= options_.assess_unused_us);
}

void LinkMonitor::assessment_begins(double now_us) {
  is_assessing_ = true;
  last_us_ = now_us;
}

void LinkMonitor::assessment_ended(double now_us, bool is_reachable) {
  is_assessing_ = false;
  is_up_ = is_reachable;
  last_us_ = now_us;
  has_changed_ = false;
  failures_ = 0;
  change_.restart();
}

}  // namespace edgewright
