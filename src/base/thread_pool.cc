#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include "base/pool_trace.h"

namespace edgewright {
namespace {

// A worker looks for the next call this often before it sleeps: the gaps between the layers of a
// small model are a few microseconds, waking a thread costs about fifty.
constexpr int kSpins = 20000;

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void pin_to(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

}  // namespace

ThreadPool::ThreadPool(int threads, std::vector<int> pinned_cpus) {
  for (int worker = 1; worker < threads; ++worker) {
    const size_t position = static_cast<size_t>(worker);
    const int cpu = position < pinned_cpus.size() ? pinned_cpus[position] : -1;
    workers_.emplace_back([this, worker, cpu] { work(worker, cpu); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::drain(int worker) {
  const Task& task = *task_;
  const size_t count = count_;
  PoolTrace* trace = PoolTrace::current();
  const auto begin = trace == nullptr ? PoolTrace::Clock::time_point() : PoolTrace::Clock::now();
  for (size_t i = next_.fetch_add(1); i < count; i = next_.fetch_add(1)) task(i, worker);
  if (trace != nullptr) trace->add({worker, begin, PoolTrace::Clock::now()});
}

void ThreadPool::parallel_for(size_t count, Task task) {
  if (count == 0) return;
  if (workers_.empty() || count == 1) {
    for (size_t i = 0; i < count; ++i) task(i, 0);
    return;
  }
  std::lock_guard call(call_mutex_);
  task_ = &task;
  count_ = count;
  next_ = 0;
  busy_ = static_cast<int>(workers_.size());
  {
    std::lock_guard lock(mutex_);
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  drain(0);
  // Every worker reports once per call, so none can still hold the task when this returns.
  while (busy_.load() != 0) pause_cpu();
}

void ThreadPool::work(int worker, int cpu) {
  pin_to(cpu);
  uint64_t seen = 0;
  while (true) {
    for (int spin = 0; spin < kSpins && generation_.load() == seen && !stop_; ++spin) pause_cpu();
    if (generation_.load() == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || generation_.load() != seen; });
    }
    if (stop_) return;
    ++seen;
    drain(worker);
    busy_.fetch_sub(1);
  }
}

}  // namespace edgewright
