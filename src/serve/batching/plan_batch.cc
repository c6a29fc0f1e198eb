#include "serve/batching/plan_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace edgewright {
namespace {

bool is_preferred(const BatchLimits& limits, int64_t rows) {
  if (limits.preferred_rows.empty()) return (rows & (rows - 1)) == 0;
  return std::ranges::find(limits.preferred_rows, rows) != limits.preferred_rows.end();
}

int64_t largest_preferred(const BatchLimits& limits) {
  if (limits.preferred_rows.empty()) return limits.max_rows;
  return *std::ranges::max_element(limits.preferred_rows);
}

}  // namespace

BatchPlan plan_batch(const BatchLimits& limits, std::span<const QueuedRequest> queue,
                     int64_t now_us) {
  BatchPlan plan;
  std::vector<QueuedRequest> alive;
  for (const QueuedRequest& request : queue) {
    if (request.deadline_us <= now_us) {
      plan.expired.push_back(request.id);
    } else {
      alive.push_back(request);
    }
  }
  if (alive.empty()) return plan;
  plan.take = 1;
  int64_t rows = 0, preferred_rows = 0;
  size_t fitting = 0;
  for (const QueuedRequest& request : alive) {
    if (request.form != alive.front().form || rows + request.rows > limits.max_rows) break;
    rows += request.rows;
    ++fitting;
    if (is_preferred(limits, rows)) {
      plan.take = fitting;
      preferred_rows = rows;
    }
  }
  if (preferred_rows == 0 && fitting > 0) plan.take = fitting;
  // Waiting only helps while the batch could grow and nobody is kept past a deadline.
  const int64_t until =
      std::min(alive.front().arrived_us + limits.max_delay_us, alive.front().deadline_us);
  const bool could_grow = fitting == alive.size() && rows < largest_preferred(limits);
  if (could_grow && now_us < until) {
    plan.take = 0;
    plan.wait_until_us = until;
  }
  return plan;
}

std::vector<std::string> validate(const BatchLimits& limits, std::span<const QueuedRequest> queue) {
  std::vector<std::string> broken;
  if (queue.size() > limits.max_queue) {
    broken.push_back(fmt::format("{} wait, at most {} may", queue.size(), limits.max_queue));
  }
  std::set<int64_t> ids;
  for (size_t i = 0; i < queue.size(); ++i) {
    if (!ids.insert(queue[i].id).second) {
      broken.push_back(fmt::format("request {} waits twice", queue[i].id));
    }
    if (queue[i].rows < 0) broken.push_back(fmt::format("request {} has no size", queue[i].id));
    if (i > 0 && queue[i].arrived_us < queue[i - 1].arrived_us) {
      broken.push_back(fmt::format("request {} overtook another", queue[i].id));
    }
  }
  return broken;
}

}  // namespace edgewright
