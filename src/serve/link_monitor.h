#pragma once

#include <cstddef>

#include "serve/client.h"
#include "split/change_point.h"

namespace edgewright {

struct LinkMonitorOptions {
  ChangePointOptions change;
  size_t failures_until_down = 2;     // that follow each other; one when there is no connection
  double assess_down_us = 250000;     // between looks whether a lost server is back
  double assess_unused_us = 1000000;  // between looks at a link that is not used because it is slow
};

// Watches how requests end and says when the link and the server need a new look. Plain state;
// times are given to it.
class LinkMonitor {
 public:
  explicit LinkMonitor(const LinkMonitorOptions& options = {})
      : options_(options), change_(options.change) {}

  bool is_up() const { return is_up_; }
  void answered(double found_us, double expected_us);
  void failed(RemoteOutcome outcome);
  // Whether to measure anew. `is_used`: the present cut sends something.
  bool wants_assessment(double now_us, bool is_used) const;
  // Before a look begins, and with what it found.
  void assessment_begins(double now_us);
  void assessment_ended(double now_us, bool is_reachable);

 private:
  LinkMonitorOptions options_;
  ChangePoint change_;
  bool is_up_ = true, has_changed_ = false, is_assessing_ = false;
  size_t failures_ = 0;
  double last_us_ = 0;
};

}  // namespace edgewright
