#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edgewright {

// What the queue of a model knows of a request: plain values, in order of arrival. Times in
// microseconds of one steady clock.
struct QueuedRequest {
  int64_t id = 0;
  int64_t rows = 1;   // of the first dimension
  uint64_t form = 0;  // requests of the same form can be joined along it
  int64_t arrived_us = 0, deadline_us = 0;
};

struct BatchLimits {
  int64_t max_rows = 0;  // 0: every request runs alone
  // Sizes that are made up where the queue allows it; empty: the powers of two up to max_rows.
  // A few sizes only, since the engine makes a plan for each.
  std::vector<int64_t> preferred_rows;
  int64_t max_delay_us = 0;  // how long the first waits for company
  size_t max_queue = 256;    // a longer queue refuses
};

struct BatchPlan {
  std::vector<int64_t> expired;  // ids whose deadline is over; the rest is about the others
  size_t take = 0;               // so many from the front run together now
  int64_t wait_until_us = 0;     // where take is 0 and the queue is not empty
};

// What to do when an instance of the model is idle. Requests are taken in order of arrival: as many
// from the front as make up the largest preferred size, else as many as fit, else one.
BatchPlan plan_batch(const BatchLimits& limits, std::span<const QueuedRequest> queue,
                     int64_t now_us);

// Every rule that a queue breaks; empty for a sound one.
std::vector<std::string> validate(const BatchLimits& limits, std::span<const QueuedRequest> queue);

}  // namespace edgewright
