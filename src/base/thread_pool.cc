#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>

#include "base/pool_trace.h"
#include "base/work_shares.h"

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

bool host_cores_differ() {
  static const bool differ = cores_differ("");
  return differ;
}

}  // namespace

// The range of each worker in the running loop, and what it did there.
struct ThreadPool::Ranges {
  explicit Ranges(size_t workers)
      : shares(workers), bounds(workers + 1), done(workers), ranges(workers) {}

  void deal(size_t count) {
    shares.divide(count, bounds);
    for (size_t w = 0; w < ranges.size(); ++w) {
      ranges[w].next = bounds[w];
      ranges[w].end = bounds[w + 1];
    }
  }

  // A line of the cache for each, so that workers do not wait for each other's counters.
  struct alignas(64) Range {
    std::atomic<size_t> next{0};
    size_t end = 0;
  };
  WorkShares shares;
  std::vector<size_t> bounds;
  std::vector<WorkShares::Done> done;
  std::vector<Range> ranges;
};

ThreadPool::ThreadPool(int threads, std::vector<int> pinned_cpus) {
  if (threads > 1 && host_cores_differ()) {
    ranges_ = std::make_unique<Ranges>(static_cast<size_t>(threads));
  }
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

void ThreadPool::divide_by_speed() {
  if (!ranges_) ranges_ = std::make_unique<Ranges>(static_cast<size_t>(threads()));
}

// The worker's own range first, then what others have left.
void ThreadPool::drain_ranges(int worker) {
  const Task& task = *task_;
  const size_t workers = ranges_->ranges.size(), own = static_cast<size_t>(worker);
  const auto begin = PoolTrace::Clock::now();
  size_t items = 0;
  for (size_t i = 0; i < workers; ++i) {
    Ranges::Range& range = ranges_->ranges[(own + i) % workers];
    for (size_t at = range.next.fetch_add(1); at < range.end; at = range.next.fetch_add(1)) {
      task(at, worker);
      ++items;
    }
  }
  const auto end = PoolTrace::Clock::now();
  ranges_->done[own] = {items, std::chrono::duration<double>(end - begin).count()};
  PoolTrace* trace = PoolTrace::current();
  if (trace != nullptr) trace->add({worker, begin, end});
}

void ThreadPool::drain(int worker) {
  if (ranges_) return drain_ranges(worker);
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
  if (ranges_) ranges_->deal(count);
  busy_ = static_cast<int>(workers_.size());
  {
    std::lock_guard lock(mutex_);
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  drain(0);
  // Every worker reports once per call, so none can still hold the task when this returns.
  while (busy_.load() != 0) pause_cpu();
  if (ranges_) ranges_->shares.learn(ranges_->done);
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
