#pragma once

#include <chrono>
#include <mutex>
#include <vector>

namespace edgewright {

// What the threads of every pool of this process do while it lives: one slice for each thread and
// parallel loop. For profiles: one at a time, made and dropped while no loop runs.
class PoolTrace {
 public:
  using Clock = std::chrono::steady_clock;
  struct Slice {
    int worker = 0;
    Clock::time_point begin, end;
  };

  PoolTrace();
  ~PoolTrace();
  PoolTrace(const PoolTrace&) = delete;
  PoolTrace& operator=(const PoolTrace&) = delete;

  std::vector<Slice> slices() const;

  // For pools: who listens (null: nobody), and what to tell it.
  static PoolTrace* current();
  void add(Slice slice);

 private:
  mutable std::mutex mutex_;
  std::vector<Slice> slices_;
};

}  // namespace edgewright
