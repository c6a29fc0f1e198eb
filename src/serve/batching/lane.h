#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "llm/energy_ledger.h"
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

// What one request asks of a lane.
struct LaneOrder {
  std::vector<Tensor> inputs;  // in the model's order
  ServeClock::time_point deadline;
  // An account of its own, which the meter is read for when the run ends; reading sensors on slow
  // buses takes longer than small models do, so that only those pay for it who ask.
  bool wants_energy = false;
};

// The queue in front of a model and the instances that work it off. It has no threads of its own:
// the request at the front runs the next batch on its own thread for everybody in it, so that a
// lone request is computed where it arrived. Thread-safe.
class Lane {
 public:
  // `ledger` is told of every run and for whom it is; null: nobody is.
  Lane(std::vector<std::unique_ptr<ServedModel>> instances, BatchLimits limits,
       std::shared_ptr<EnergyLedger> ledger = nullptr);

  // Refusals: exhausted (the queue is full), deadline, unavailable (closed), and whatever the model
  // says. `energy` is written for an order that wants it.
  Reply<std::vector<Tensor>> run(LaneOrder order, LaneTimes& times,
                                 RequestEnergy* energy = nullptr);
  // What all runs since the beginning were charged with; 0 where nothing is measured.
  double energy_j() const;
  // Refuses from now on; what waits already is still answered.
  void close();
  size_t waiting() const;

 private:
  struct Job;
  using Jobs = std::vector<std::shared_ptr<Job>>;
  void lead(std::unique_lock<std::mutex>& lock, Job& leader);
  LaneTimes run_batch(ServedModel& model, const Jobs& batch, ServeClock::time_point start) const;
  int64_t begin_pass(const Jobs& batch) const;
  Jobs take(size_t count);
  void finish_expired(const std::vector<int64_t>& ids);
  void leave_queue(const Job& job);
  void wake_front();

  const BatchLimits limits_;
  const std::shared_ptr<EnergyLedger> ledger_;
  // Of those who do not ask.
  const std::shared_ptr<EnergyLedger::Account> account_ = std::make_shared<EnergyLedger::Account>();
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<ServedModel>> instances_;
  std::vector<ServedModel*> idle_;
  std::deque<std::shared_ptr<Job>> jobs_;  // the queue, and what plans are made from
  std::vector<QueuedRequest> queue_;
  int64_t next_id_ = 1;
  double asked_j_ = 0;  // of accounts of their own that are settled
  bool closed_ = false;
};

}  // namespace edgewright
