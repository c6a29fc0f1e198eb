#include "serve/remote_workers.h"

#include <utility>

namespace edgewright {

RemoteWorkers::RemoteWorkers(const std::vector<RunnableCut>& cuts, ClientFactory connect,
                             const RunnerOptions& options)
    : cuts_(cuts), connect_(std::move(connect)), options_(options) {
  for (size_t i = 0; i < options.schedule.in_flight; ++i) {
    threads_.emplace_back([this, i] { work(options_.seed + i, false); });
  }
  threads_.emplace_back([this] { work(options_.seed + options_.schedule.in_flight, true); });
}

RemoteWorkers::~RemoteWorkers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  has_job_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void RemoteWorkers::submit(RemoteJob job) {
  {
    const std::lock_guard lock(mutex_);
    (job.request ? jobs_ : looks_).push_back(std::move(job));
  }
  has_job_.notify_all();
}

void RemoteWorkers::wake() {
  {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
  }
  has_event_.notify_all();
}

std::vector<RemoteEvent> RemoteWorkers::wait_until(InferenceClient::Deadline time) {
  std::unique_lock lock(mutex_);
  // Waiting for a time that has passed takes as long as a timer is late.
  if (time > std::chrono::steady_clock::now()) {
    has_event_.wait_until(lock, time, [this] { return is_woken_ || !events_.empty(); });
  }
  is_woken_ = false;
  return std::exchange(events_, {});
}

void RemoteWorkers::work(uint64_t seed, bool only_looks) {
  std::mt19937_64 random(seed);
  std::unique_ptr<InferenceClient> client;
  std::deque<RemoteJob>& queue = only_looks ? looks_ : jobs_;
  while (true) {
    RemoteJob job;
    {
      std::unique_lock lock(mutex_);
      has_job_.wait(lock, [&] { return stop_ || !queue.empty(); });
      if (stop_) return;
      job = std::move(queue.front());
      queue.pop_front();
    }
    RemoteEvent event = handle(job, client, random);
    {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    has_event_.notify_all();
  }
}

RemoteEvent RemoteWorkers::handle(RemoteJob& job, std::unique_ptr<InferenceClient>& client,
                                  std::mt19937_64& random) {
  RemoteEvent event{job.request, {}, std::nullopt, job.cut};
  if (client == nullptr) {
    auto opened = connect_();
    if (!opened.ok()) {
      event.answer.message = opened.error().message;
      return event;
    }
    client = *std::move(opened);
  }
  if (job.request) {
    event.answer = infer_with_retries(*client, job.message, job.deadline, options_.retry, random);
    return event;
  }
  auto link = assess_link(*client, cuts_[job.cut], job.guess, options_.binary, job.deadline);
  if (link.ok()) {
    event.link = *link;
  } else {
    event.answer.message = link.error().message;
  }
  return event;
}

}  // namespace edgewright
