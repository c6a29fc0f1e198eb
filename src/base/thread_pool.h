#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/function_ref.h"

namespace edgewright {

// The one pool that all kernels share. The calling thread works too, so a pool of one thread
// starts none. One parallel_for at a time: calls from several threads wait for each other.
class ThreadPool {
 public:
  // Threads includes the caller; `pinned_cpus`, where given, are the CPUs of the workers after the
  // caller (worker i runs on pinned_cpus[i]); the caller pins itself if it wants to.
  explicit ThreadPool(int threads, std::vector<int> pinned_cpus = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // On machines whose cores differ this is so from the start: every worker has a range of its own
  // as long as its measured speed (base/work_shares.h) says, and helps the others when it is done.
  // Call while no loop runs.
  void divide_by_speed();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls task(index, worker) for every index below count, worker < threads(), and returns when all
  // are done. Workers that no core has time for are not waited for: the others do their part. Tasks
  // must not throw, call parallel_for, or wait for each other.
  void parallel_for(size_t count, FunctionRef<void(size_t index, int worker)> task);

 private:
  using Task = FunctionRef<void(size_t, int)>;
  void work(int worker, int cpu);
  bool join(uint64_t loop);
  void drain(int worker);
  void drain_ranges(int worker);
  struct Ranges;

  std::vector<std::thread> workers_;
  std::mutex call_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  const Task* task_ = nullptr;
  size_t count_ = 0;
  std::atomic<size_t> next_{0};
  std::atomic<uint64_t> state_{0};  // number of the loop, whether it is open, workers in it
  std::atomic<bool> stop_{false};
  std::unique_ptr<Ranges> ranges_;  // null: every worker takes the next index
};

}  // namespace edgewright
