#include "serve/batching/lane.h"

#include <algorithm>
#include <exception>

#include "serve/batching/join.h"

namespace edgewright {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

int64_t microseconds(ServeClock::time_point time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

ServeClock::time_point from_microseconds(int64_t time_us) {
  return ServeClock::time_point(std::chrono::microseconds(time_us));
}

int64_t between_ns(ServeClock::time_point begin, ServeClock::time_point end) {
  return std::chrono::duration_cast<Nanoseconds>(end - begin).count();
}

Refusal too_late() { return {RefusalKind::kDeadline, "the deadline passed before an answer"}; }

}  // namespace

struct Lane::Job {
  std::vector<Tensor> inputs;
  QueuedRequest row;
  ServeClock::time_point arrived;
  std::condition_variable wake;
  bool done = false;
  std::optional<Reply<std::vector<Tensor>>> reply;
  LaneTimes times;
  std::shared_ptr<EnergyLedger::Account> account;  // of its own, or that of all who do not ask
};

namespace {

// A defect in one request's computation must not end the service of the others.
Reply<std::vector<Tensor>> run_guarded(ServedModel& model, std::span<const Tensor> inputs) {
  try {
    Result<std::vector<Tensor>> outputs = model.run(inputs);
    if (!outputs.ok()) return std::move(outputs).error();
    return *std::move(outputs);
  } catch (const std::exception& error) {
    return Refusal{RefusalKind::kFailed, fmt::format("internal error: {}", error.what())};
  }
}

Result<std::vector<Tensor>> join_inputs(std::span<const std::vector<Tensor>* const> requests) {
  std::vector<Tensor> joined;
  for (size_t input = 0; input < requests[0]->size(); ++input) {
    std::vector<const Tensor*> parts;
    parts.reserve(requests.size());
    for (const std::vector<Tensor>* request : requests) parts.push_back(&(*request)[input]);
    EDGEWRIGHT_ASSIGN(Tensor whole, join_rows(parts));
    joined.push_back(std::move(whole));
  }
  return joined;
}

// The part of a batch's outputs that belongs to one request.
Reply<std::vector<Tensor>> outputs_of(std::span<const Tensor> outputs, int64_t begin, int64_t rows,
                                      int64_t all_rows) {
  std::vector<Tensor> part;
  for (const Tensor& output : outputs) {
    if (output.rank() == 0 || output.dim(0) != all_rows) {
      return Refusal{RefusalKind::kUnsupported,
                     fmt::format("an output of shape {} for {} rows: the model cannot be batched; "
                                 "set max_batch_size to 0",
                                 dims_text(output.dims()), all_rows)};
    }
    EDGEWRIGHT_ASSIGN(Tensor rows_only, copy_rows(output, begin, rows));
    part.push_back(std::move(rows_only));
  }
  return part;
}

}  // namespace

Lane::Lane(std::vector<std::unique_ptr<ServedModel>> instances, BatchLimits limits,
           std::shared_ptr<EnergyLedger> ledger)
    : limits_(std::move(limits)), ledger_(std::move(ledger)), instances_(std::move(instances)) {
  for (const auto& instance : instances_) idle_.push_back(instance.get());
}

void Lane::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

size_t Lane::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

double Lane::energy_j() const {
  if (!ledger_) return 0;
  const double unasked_j = ledger_->settle(*account_).energy_j;
  const std::lock_guard lock(mutex_);
  return unasked_j + asked_j_;
}

Reply<std::vector<Tensor>> Lane::run(LaneOrder order, LaneTimes& times, RequestEnergy* energy) {
  const auto job = std::make_shared<Job>();
  job->arrived = ServeClock::now();
  if (limits_.max_rows > 0) {
    job->row.rows = rows_of(order.inputs);
    job->row.form = form_of(order.inputs);
  }
  job->row.arrived_us = microseconds(job->arrived);
  job->row.deadline_us = microseconds(order.deadline);
  job->inputs = std::move(order.inputs);
  job->account = order.wants_energy ? std::make_shared<EnergyLedger::Account>() : account_;
  std::unique_lock lock(mutex_);
  if (closed_) return Refusal{RefusalKind::kUnavailable, "the model is being unloaded"};
  if (jobs_.size() >= limits_.max_queue) {
    return Refusal{RefusalKind::kExhausted,
                   fmt::format("{} requests wait already; try again later", jobs_.size())};
  }
  job->row.id = next_id_++;
  jobs_.push_back(job);
  queue_.push_back(job->row);
  // The one at the front may be waiting for company.
  if (limits_.max_delay_us > 0 && jobs_.front() != job) jobs_.front()->wake.notify_one();
  while (!job->done) {
    if (!jobs_.empty() && jobs_.front() == job && !idle_.empty()) {
      lead(lock, *job);
      continue;
    }
    if (job->wake.wait_until(lock, order.deadline) == std::cv_status::timeout && !job->done) {
      leave_queue(*job);
      wake_front();
      return too_late();
    }
  }
  times = job->times;
  if (ledger_ && order.wants_energy) {
    lock.unlock();
    const RequestEnergy cost = ledger_->settle(*job->account);
    lock.lock();
    asked_j_ += cost.energy_j;
    if (energy != nullptr) *energy = cost;
  }
  return *std::move(job->reply);
}

void Lane::leave_queue(const Job& job) {
  const auto at = std::ranges::find(queue_, job.row.id, &QueuedRequest::id);
  if (at == queue_.end()) return;  // it runs; its answer comes too late and is dropped
  jobs_.erase(jobs_.begin() + (at - queue_.begin()));
  queue_.erase(at);
}

void Lane::wake_front() {
  if (!jobs_.empty() && !idle_.empty()) jobs_.front()->wake.notify_one();
}

Lane::Jobs Lane::take(size_t count) {
  const auto end = static_cast<std::ptrdiff_t>(count);
  Jobs batch(jobs_.begin(), jobs_.begin() + end);
  jobs_.erase(jobs_.begin(), jobs_.begin() + end);
  queue_.erase(queue_.begin(), queue_.begin() + end);
  return batch;
}

void Lane::finish_expired(const std::vector<int64_t>& ids) {
  for (const int64_t id : ids) {
    const auto at = std::ranges::find(queue_, id, &QueuedRequest::id);
    const auto job = jobs_.begin() + (at - queue_.begin());
    (*job)->reply = too_late();
    (*job)->done = true;
    (*job)->wake.notify_one();
    jobs_.erase(job);
    queue_.erase(at);
  }
}

int64_t Lane::begin_pass(const Jobs& batch) const {
  if (!ledger_) return -1;
  std::vector<EnergyLedger::Share> shares;
  shares.reserve(batch.size());
  for (const auto& job : batch) {
    shares.push_back({job->account, static_cast<double>(std::max<int64_t>(1, job->row.rows))});
  }
  return ledger_->begin(std::move(shares));
}

// Computes every job's reply, without the lock.
LaneTimes Lane::run_batch(ServedModel& model, const Jobs& batch,
                          ServeClock::time_point start) const {
  LaneTimes times;
  times.rows = 0;
  std::vector<const std::vector<Tensor>*> requests;
  for (const auto& job : batch) {
    times.rows += job->row.rows;
    requests.push_back(&job->inputs);
  }
  auto ready = start, ran = start;
  const int64_t pass = begin_pass(batch);
  if (batch.size() == 1) {
    batch[0]->reply = run_guarded(model, batch[0]->inputs);
    ran = ServeClock::now();
  } else {
    Result<std::vector<Tensor>> joined = join_inputs(requests);
    ready = ServeClock::now();
    const Reply<std::vector<Tensor>> outputs =
        joined.ok() ? run_guarded(model, *joined)
                    : Reply<std::vector<Tensor>>(std::move(joined).error());
    ran = ServeClock::now();
    int64_t begin = 0;
    for (const auto& job : batch) {
      job->reply = outputs.ok() ? outputs_of(*outputs, begin, job->row.rows, times.rows) : outputs;
      begin += job->row.rows;
    }
  }
  if (ledger_) ledger_->end(pass);
  times.input_ns = between_ns(start, ready);
  times.run_ns = between_ns(ready, ran);
  times.output_ns = between_ns(ran, ServeClock::now());
  return times;
}

// Runs the next batch, which begins with the leader, and hands out its results.
void Lane::lead(std::unique_lock<std::mutex>& lock, Job& leader) {
  const auto start = ServeClock::now();
  const BatchPlan plan = plan_batch(limits_, queue_, microseconds(start));
  finish_expired(plan.expired);
  if (leader.done) return wake_front();
  if (plan.take == 0) {
    leader.wake.wait_until(lock, from_microseconds(plan.wait_until_us));
    return;
  }
  const Jobs batch = take(plan.take);
  ServedModel* const model = idle_.back();
  idle_.pop_back();
  wake_front();
  lock.unlock();

  LaneTimes times = run_batch(*model, batch, start);

  lock.lock();
  idle_.push_back(model);
  for (const auto& job : batch) {
    job->times = times;
    job->times.queue_ns = between_ns(job->arrived, start);
    job->times.is_first = job.get() == &leader;
    job->done = true;
    if (job.get() != &leader) job->wake.notify_one();
  }
  wake_front();
}

}  // namespace edgewright
