#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "serve/batching/plan_batch.h"
#include "serve/refusal.h"
#include "serve/served_model.h"

namespace edgewright {

using ServeClock = std::chrono::steady_clock;

// What a run took, for statistics.
struct LaneTimes {
  int64_t queue_ns = 0, input_ns = 0, run_ns = 0, output_ns = 0;
  int64_t rows = 1;      // of the whole batch
  bool is_first = true;  // of its batch: counts the execution
};

// The queue in front of a model and the instances that work it off. It has no threads of its own:
// the request at the front runs the next batch on its own thread for everybody in it, so that a
// lone request is computed where it arrived. Thread-safe.
class Lane {
 public:
  Lane(std::vector<std::unique_ptr<ServedModel>> instances, BatchLimits limits);

  // Inputs in the model's order. Refusals: exhausted (the queue is full), deadline, unavailable
  // (closed), and whatever the model says.
  Reply<std::vector<Tensor>> run(std::vector<Tensor> inputs, ServeClock::time_point deadline,
                                 LaneTimes& times);
  // Refuses from now on; what waits already is still answered.
  void close();
  size_t waiting() const;

 private:
  struct Job;
  using Jobs = std::vector<std::shared_ptr<Job>>;
  void lead(std::unique_lock<std::mutex>& lock, Job& leader);
  static LaneTimes run_batch(ServedModel& model, const Jobs& batch, ServeClock::time_point start);
  Jobs take(size_t count);
  void finish_expired(const std::vector<int64_t>& ids);
  void leave_queue(const Job& job);
  void wake_front();

  const BatchLimits limits_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<ServedModel>> instances_;
  std::vector<ServedModel*> idle_;
  std::deque<std::shared_ptr<Job>> jobs_;  // the queue, and what plans are made from
  std::vector<QueuedRequest> queue_;
  int64_t next_id_ = 1;
  bool closed_ = false;
};

}  // namespace edgewright
