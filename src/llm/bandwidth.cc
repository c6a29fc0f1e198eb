#include "llm/bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>

namespace edgewright {
namespace {

constexpr size_t kBytes = size_t{256} << 20;
constexpr int kPasses = 4;

// Four independent sums, so that additions never wait for each other.
uint64_t sum(const uint64_t* words, size_t count) {
  uint64_t a = 0;
  uint64_t b = 0;
  uint64_t c = 0;
  uint64_t d = 0;
  for (size_t i = 0; i + 4 <= count; i += 4) {
    a += words[i];
    b += words[i + 1];
    c += words[i + 2];
    d += words[i + 3];
  }
  return a + b + c + d;
}

}  // namespace

double measure_read_bandwidth(ThreadPool& pool) {
  const size_t words = kBytes / sizeof(uint64_t);
  const auto memory = std::make_unique<uint64_t[]>(words);
  std::fill_n(memory.get(), words, uint64_t{1});
  const auto threads = static_cast<size_t>(pool.threads());
  const size_t share = words / threads;
  double best = 0;
  std::atomic<uint64_t> total = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(
        threads, [&](size_t index, int) { total += sum(memory.get() + index * share, share); });
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, static_cast<double>(threads * share * sizeof(uint64_t)) / seconds);
  }
  // The sum is used, so that no compiler leaves the reads out.
  return total.load() == 0 ? 0 : best;
}

}  // namespace edgewright
