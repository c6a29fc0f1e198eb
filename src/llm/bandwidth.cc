#include "llm/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <new>

#include "kernels/probe/probe_kernels.h"

namespace edgewright {
namespace {

constexpr size_t kLeastBytes = size_t{1} << 18, kMostBytes = size_t{1} << 28;
// What one pass reads at least, so that starting the threads does not count.
constexpr size_t kPassBytes = size_t{1} << 26;
constexpr int kPasses = 4;
// probe_read wants whole runs of so many floats.
constexpr size_t kRunFloats = 1024;

struct FreeAligned {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};

}  // namespace

double measure_read_bandwidth(ThreadPool& pool, size_t working_set_bytes) {
  const auto threads = static_cast<size_t>(pool.threads());
  const size_t wanted = std::clamp(working_set_bytes, kLeastBytes, kMostBytes) / sizeof(float);
  const size_t share = std::max<size_t>(1, wanted / threads / kRunFloats) * kRunFloats;
  const size_t bytes = share * threads * sizeof(float);
  const std::unique_ptr<float[], FreeAligned> memory(
      static_cast<float*>(::operator new[](bytes, std::align_val_t{64})));
  std::fill_n(memory.get(), share * threads, 1.0f);
  const size_t repeats = std::max<size_t>(1, kPassBytes / bytes);
  double best = 0;
  // The sums are used, so that no compiler leaves the reads out.
  std::atomic<float> total = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    // One stream or several: which is quicker depends on the level.
    const int streams = pass % 2 == 0 ? 1 : 4;
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(threads, [&](size_t index, int) {
      float sum = 0;
      for (size_t i = 0; i < repeats; ++i) {
        sum += probe_read(memory.get() + index * share, share, streams, 1);
      }
      total = total + sum;
    });
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, static_cast<double>(bytes * repeats) / seconds);
  }
  return total.load() == 0 ? 0 : best;
}

}  // namespace edgewright
