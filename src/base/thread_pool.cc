#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>

#include "base/pool_trace.h"
#include "base/work_shares.h"

namespace edgewright {
namespace {

// A worker looks for the next call this often before it sleeps: the gaps between the layers of a
// small model are a few microseconds, waking a thread costs about fifty. After the first looks it
// lets others have the core each time, whose work may be what it waits for.
constexpr int kSpins = 3000, kSpinsAlone = 1000;

// The fields of ThreadPool::state_.
constexpr uint64_t kOneWorker = 1, kWorkers = 0xffff, kOpen = 0x10000, kOneLoop = 0x20000;
uint64_t loop_of(uint64_t state) { return state / kOneLoop; }

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void wait_a_little(int spins) {
  if (spins < kSpinsAlone) {
    pause_cpu();
  } else {
    sched_yield();
  }
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
      done[w] = {};
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
  {
    std::lock_guard lock(mutex_);
    state_ = (loop_of(state_) + 1) * kOneLoop + kOpen;
  }
  wake_.notify_all();
  drain(0);
  // Nothing is left to take: who is not in the loop now has no part in it, who is may still work.
  state_.fetch_sub(kOpen);
  for (int spins = 0; (state_.load() & kWorkers) != 0; ++spins) wait_a_little(spins);
  if (ranges_) ranges_->shares.learn(ranges_->done);
}

// Whether the worker is in this loop now: it may be over, with or without a next one.
bool ThreadPool::join(uint64_t loop) {
  uint64_t state = state_.load();
  while (loop_of(state) == loop && (state & kOpen) != 0) {
    if (state_.compare_exchange_weak(state, state + kOneWorker)) return true;
  }
  return false;
}

void ThreadPool::work(int worker, int cpu) {
  pin_to(cpu);
  uint64_t seen = 0;
  const auto is_new = [&] { return stop_ || loop_of(state_.load()) != seen; };
  while (true) {
    for (int spins = 0; spins < kSpins && !is_new(); ++spins) wait_a_little(spins);
    if (!is_new()) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, is_new);
    }
    if (stop_) return;
    seen = loop_of(state_.load());
    if (!join(seen)) continue;
    drain(worker);
    state_.fetch_sub(kOneWorker);
  }
}

}  // namespace edgewright
