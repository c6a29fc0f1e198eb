#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "serve/split_runner.h"

namespace edgewright {

// What a worker is to do: an inference, or (without a request number) a look at the link.
struct RemoteJob {
  std::optional<uint64_t> request;
  oip::InferRequest message;
  InferenceClient::Deadline deadline;
  size_t cut = 0;
  LinkEstimate guess;
};
struct RemoteEvent {
  std::optional<uint64_t> request;
  RemoteAnswer answer;
  std::optional<LinkEstimate> link;  // of a look that reached the server
  size_t cut = 0;
};

// Threads that talk to the server, each over a connection of its own, so that the device goes on
// meanwhile. They end within their jobs' deadlines.
class RemoteWorkers {
 public:
  RemoteWorkers(const std::vector<RunnableCut>& cuts, ClientFactory connect,
                const RunnerOptions& options);
  ~RemoteWorkers();
  RemoteWorkers(const RemoteWorkers&) = delete;
  RemoteWorkers& operator=(const RemoteWorkers&) = delete;

  void submit(RemoteJob job);
  // Ends a wait before its time.
  void wake();
  // What has happened; waits until something has, or until the time or a wake().
  std::vector<RemoteEvent> wait_until(InferenceClient::Deadline time);

 private:
  void work(uint64_t seed, bool only_looks);
  RemoteEvent handle(RemoteJob& job, std::unique_ptr<InferenceClient>& client,
                     std::mt19937_64& random);

  const std::vector<RunnableCut>& cuts_;
  ClientFactory connect_;
  RunnerOptions options_;
  std::mutex mutex_;
  std::condition_variable has_job_, has_event_;
  std::deque<RemoteJob> jobs_, looks_;
  std::vector<RemoteEvent> events_;
  bool stop_ = false, is_woken_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace edgewright
