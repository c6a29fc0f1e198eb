// Bandwidths and peak arithmetic of one core, measured without anything of Edgewright: plain loops
// over vectors of the compiler. `device probe` must not claim more than this program confirms.
//
// build: c++ -O3 -march=native -std=c++20 bench/roofs/independent_roofs.cc -o independent_roofs
// usage: independent_roofs BYTES...   prints "BYTES read write copy" in GB/s, then "peak GFLOP/s"
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

namespace {

#if defined(__AVX512F__)
using Vector = float __attribute__((vector_size(64)));
#elif defined(__AVX__)
using Vector = float __attribute__((vector_size(32)));
#else
using Vector = float __attribute__((vector_size(16)));
#endif
constexpr long kLanes = sizeof(Vector) / sizeof(float);

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The best of nine, each at least ten milliseconds long: what the machine can do at all.
double best_rate(double amount, const std::function<void()>& work) {
  long repeats = 1;
  const auto many = [&] {
    for (long i = 0; i < repeats; ++i) work();
  };
  while (seconds(many) < 0.01) repeats *= 2;
  double best = 0;
  for (int i = 0; i < 9; ++i) {
    best = std::max(best, amount * static_cast<double>(repeats) / seconds(many) / 1e9);
  }
  return best;
}

void measure(long size_bytes) {
  const long count = size_bytes / static_cast<long>(sizeof(Vector)) / 32 * 32;
  void* memory = mmap(nullptr, static_cast<size_t>(size_bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::exit(1);
  madvise(memory, static_cast<size_t>(size_bytes), MADV_HUGEPAGE);
  auto* data = static_cast<Vector*>(memory);
  for (long i = 0; i < count; ++i) data[i] = Vector{};
  // Small sets are gone over often, so that starting a loop does not count.
  const long passes = std::max(1L, (1L << 19) / size_bytes);
  const double bytes = static_cast<double>(count * passes) * sizeof(Vector);
  const double read = best_rate(bytes, [=] {
    for (long pass = 0; pass < passes; ++pass) {
      for (long i = 0; i < count; i += 16) {
#pragma GCC unroll 16
        for (int j = 0; j < 16; ++j) {
          Vector value = data[i + j];
          asm volatile("" : "+v"(value));
        }
      }
    }
  });
  const double write = best_rate(bytes, [=] {
    Vector value = {};
    for (long pass = 0; pass < passes; ++pass) {
      asm volatile("" : "+v"(value)::"memory");
      for (long i = 0; i < count; i += 16) {
#pragma GCC unroll 16
        for (int j = 0; j < 16; ++j) data[i + j] = value;
      }
    }
  });
  const double copy = best_rate(bytes, [=] {
    const long half = count / 2;
    for (long pass = 0; pass < passes; ++pass) {
      for (long i = 0; i < half; i += 16) {
#pragma GCC unroll 16
        for (int j = 0; j < 16; ++j) {
          // Through a register: the compiler would call memcpy, which writes past the caches.
          Vector value = data[i + j];
          asm volatile("" : "+v"(value));
          data[half + i + j] = value;
        }
      }
    }
  });
  std::printf("%ld %.2f %.2f %.2f\n", size_bytes, read, write, copy);
  munmap(memory, static_cast<size_t>(size_bytes));
}

double peak() {
  constexpr long kRounds = 100000;
  const auto work = [] {
    Vector a0 = {}, a1 = {}, a2 = {}, a3 = {}, a4 = {}, a5 = {}, a6 = {}, a7 = {}, a8 = {}, a9 = {};
    const Vector x = Vector{} + 0.999F, y = Vector{} + 0.001F;
    for (long i = 0; i < kRounds; ++i) {
      a0 = a0 * x + y;
      a1 = a1 * x + y;
      a2 = a2 * x + y;
      a3 = a3 * x + y;
      a4 = a4 * x + y;
      a5 = a5 * x + y;
      a6 = a6 * x + y;
      a7 = a7 * x + y;
      a8 = a8 * x + y;
      a9 = a9 * x + y;
      asm volatile("" : "+v"(a0), "+v"(a1), "+v"(a2), "+v"(a3), "+v"(a4));
      asm volatile("" : "+v"(a5), "+v"(a6), "+v"(a7), "+v"(a8), "+v"(a9));
    }
  };
  return best_rate(10.0 * 2 * kLanes * kRounds, work);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) measure(std::atol(argv[i]));
  std::printf("peak %.2f\n", peak());
  return 0;
}
