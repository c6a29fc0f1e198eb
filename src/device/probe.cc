#include "device/probe.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>

#include "base/thread_pool.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;
// The loops take whole rounds of this many floats.
constexpr size_t kFloatGranule = 1024;
constexpr double kGiga = 1e9;

double seconds_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double ranked(const std::vector<double>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(std::lround(share * last))];
}

// Rates of repetitions: others can only slow us down, so the value is the upper quartile.
Measured summarise(std::vector<double> rates) {
  std::ranges::sort(rates);
  const double median = ranked(rates, 0.5);
  return {ranked(rates, 0.75), median > 0 ? (ranked(rates, 0.9) - ranked(rates, 0.1)) / median : 0};
}

// Memory of one thread, touched so that it is there, in large pages where the system gives them.
class Buffer {
 public:
  static Result<Buffer> allocate(size_t size_bytes) {
    void* memory =
        mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      return internal_error("no memory for a working set of {} bytes", size_bytes);
    }
    madvise(memory, size_bytes, MADV_HUGEPAGE);
    std::memset(memory, 0, size_bytes);
    return Buffer(static_cast<float*>(memory), size_bytes);
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_bytes_(other.size_bytes_) {}
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() {
    if (data_ != nullptr) munmap(data_, size_bytes_);
  }
  float* data() const { return data_; }

 private:
  Buffer(float* data, size_t size_bytes) : data_(data), size_bytes_(size_bytes) {}
  float* data_;
  size_t size_bytes_;
};

// How often one call goes over so many floats: small sets often, so that starting does not count.
size_t passes_over(size_t count) {
  constexpr size_t kFloatsPerCall = size_t{1} << 17;
  return std::max<size_t>(1, kFloatsPerCall / std::max<size_t>(1, count));
}

class Probe {
 public:
  Probe(const ProbeKernels& kernels, const ProbeOptions& options)
      : kernels_(kernels), options_(options) {
    result_.topology = host_topology();
    threads_ = options.threads > 0 ? options.threads : result_.topology.cores;
    pool_ = std::make_unique<ThreadPool>(threads_);
  }

  Result<ProbeResult> run() {
    Roofs& roofs = result_.roofs;
    roofs.device = result_.topology.cpu_model;
    roofs.source = "measured by device probe";
    roofs.is_measured = true;
    roofs.cores = threads_;
    const size_t levels = result_.topology.caches.size() + 1;
    // Memory figures are sixteen a level, arithmetic two a type, and a little for the rest.
    slot_s_ = options_.seconds /
              static_cast<double>(levels * 9 + kernels_.arithmetic.size() * 2 + 4) /
              options_.repetitions;
    measure_arithmetic();
    EDGEWRIGHT_TRY(measure_memory());
    measure_dispatch();
    measure_frequency();
    EDGEWRIGHT_TRY(check_noise());
    return std::move(result_);
  }

 private:
  void report(std::string_view stage) {
    if (options_.progress) options_.progress(stage, ++stage_, 4 + result_.topology.caches.size());
  }

  // The rate of `work(repeats)`, which does `amount` per repeat and thread, on some threads.
  Measured rate(double amount, int threads, const std::function<void(size_t, int)>& work) {
    size_t repeats = 1;
    const auto once = [&] {
      pool_->parallel_for(static_cast<size_t>(threads),
                          [&](size_t index, int) { work(repeats, static_cast<int>(index)); });
    };
    const auto single = [&] { work(repeats, 0); };
    const std::function<void()> all =
        threads > 1 ? std::function<void()>(once) : std::function<void()>(single);
    // The shorter of two: what disturbs the first would leave the others one call each.
    const auto taken_s = [&] { return std::min(seconds_of(all), seconds_of(all)); };
    double taken = taken_s();
    while (taken < slot_s_ / 4 && repeats < (size_t{1} << 40)) {
      repeats = taken <= 0
                    ? repeats * 16
                    : std::max(repeats + 1, static_cast<size_t>(static_cast<double>(repeats) *
                                                                std::min(16.0, slot_s_ / taken)));
      taken = taken_s();
    }
    std::vector<double> rates;
    rates.reserve(static_cast<size_t>(options_.repetitions));
    for (int i = 0; i < options_.repetitions; ++i) {
      rates.push_back(amount * static_cast<double>(repeats) * threads / seconds_of(all) / kGiga);
    }
    return summarise(std::move(rates));
  }

  void measure_arithmetic() {
    report("arithmetic");
    for (const ProbeArithmeticKernel& kernel : kernels_.arithmetic) {
      constexpr size_t kRounds = 1000;
      const auto work = [&](size_t repeats, int) { kernel.run(repeats * kRounds); };
      const double amount = kernel.operations_per_round * kRounds;
      ComputeRoof roof{std::string(kernel.type), std::string(kernel.unit), {}, {}};
      roof.core_gop_s = rate(amount, 1, work);
      roof.all_gop_s = rate(amount, threads_, work);
      note_spread(result_.largest_compute_spread, roof.core_gop_s, roof.type);
      if (result_.roofs.compute.empty()) scale_arithmetic(amount, work);
      result_.roofs.compute.push_back(std::move(roof));
    }
  }

  void scale_arithmetic(double amount, const std::function<void(size_t, int)>& work) {
    for (int threads = 1; threads <= threads_; threads = next(threads)) {
      result_.scaling.push_back({threads, rate(amount, threads, work).value, 0});
    }
  }

  int next(int threads) const {
    return threads == threads_ ? threads + 1 : std::min(threads * 2, threads_);
  }

  void note_spread(double& largest, const Measured& figure, std::string_view name) {
    if (figure.spread <= largest) return;
    largest = figure.spread;
    noisiest_ = name;
  }

  static size_t floats_in(int64_t size_bytes) {
    const size_t count = static_cast<size_t>(size_bytes) / sizeof(float);
    return std::max(kFloatGranule * 2, count / (kFloatGranule * 2) * (kFloatGranule * 2));
  }

  // A working set that the level holds and the one before it does not.
  int64_t working_set(size_t level) const {
    const auto& caches = result_.topology.caches;
    if (level == caches.size()) {
      if (options_.main_memory_bytes > 0) return options_.main_memory_bytes;
      const int64_t last = caches.empty() ? 0 : caches.back().size_bytes;
      return std::clamp<int64_t>(2 * last, int64_t{256} << 20, int64_t{1} << 30);
    }
    const int64_t half = caches[level].size_bytes / 2;
    if (level == 0) return half;
    // A cache that many cores share, or that is far larger than the one before, is not filled.
    return std::min(half, caches[level - 1].size_bytes * 8);
  }

  Status measure_memory() {
    const size_t levels = result_.topology.caches.size() + 1;
    for (size_t level = 0; level < levels; ++level) {
      const bool is_main = level + 1 == levels;
      MemoryRoof roof;
      roof.name = is_main ? "DRAM" : fmt::format("L{}", result_.topology.caches[level].level);
      report(roof.name);
      if (!is_main) {
        roof.size_bytes = result_.topology.caches[level].size_bytes;
        roof.is_shared = result_.topology.caches[level].shared_by_cpus > 1;
      } else {
        roof.is_shared = true;
      }
      EDGEWRIGHT_TRY(measure_level(level, roof));
      result_.roofs.memory.push_back(std::move(roof));
    }
    return {};
  }

  // One for every thread; the first also holds the whole working set.
  Result<std::vector<Buffer>> buffers_of(int64_t set_bytes, int64_t own_bytes) const {
    std::vector<Buffer> buffers;
    for (int thread = 0; thread < threads_; ++thread) {
      EDGEWRIGHT_ASSIGN(
          Buffer buffer,
          Buffer::allocate(static_cast<size_t>(std::max(own_bytes, thread == 0 ? set_bytes : 0)) +
                           kFloatGranule * 2 * sizeof(float)));
      buffers.push_back(std::move(buffer));
    }
    return buffers;
  }

  Status measure_level(size_t level, MemoryRoof& roof) {
    const bool is_main = level == result_.topology.caches.size();
    const int64_t set_bytes = working_set(level);
    // All threads together hold one working set where they share the level.
    const int64_t own_bytes = roof.is_shared ? set_bytes / threads_ : set_bytes;
    EDGEWRIGHT_ASSIGN(std::vector<Buffer> buffers, buffers_of(set_bytes, own_bytes));
    const size_t one = floats_in(set_bytes), each = floats_in(own_bytes);
    const auto read = [&](size_t count, int streams) {
      return [&, count, streams](size_t repeats, int thread) {
        for (size_t i = 0; i < repeats; ++i) {
          kernels_.read(buffers[static_cast<size_t>(thread)].data(), count, streams,
                        passes_over(count));
        }
      };
    };
    const auto write = [&](size_t count, bool around) {
      return [&, count, around](size_t repeats, int thread) {
        for (size_t i = 0; i < repeats; ++i) {
          kernels_.write(buffers[static_cast<size_t>(thread)].data(), count, around,
                         passes_over(count));
        }
      };
    };
    const auto copy = [&](size_t count) {
      const size_t half = count / 2 / kFloatGranule * kFloatGranule;
      return [&, half](size_t repeats, int thread) {
        float* data = buffers[static_cast<size_t>(thread)].data();
        for (size_t i = 0; i < repeats; ++i) {
          kernels_.copy(data, data + half, half, passes_over(half));
        }
      };
    };
    const auto bytes = [](size_t count) { return static_cast<double>(count) * sizeof(float); };
    const auto moved_bytes = [&](size_t count) {
      return bytes(count) * static_cast<double>(passes_over(count));
    };
    const auto copied = [&](size_t count) {
      return moved_bytes(count / 2 / kFloatGranule * kFloatGranule) * 2;
    };
    roof.read_gb_s = rate(moved_bytes(one), 1, read(one, 1));
    const Measured four = rate(moved_bytes(one), 1, read(one, 4)),
                   eight = rate(moved_bytes(one), 1, read(one, 8));
    roof.read_streams_gb_s = four.value > eight.value ? four : eight;
    roof.read_all_gb_s = rate(moved_bytes(each), threads_, read(each, 1));
    roof.copy_gb_s = rate(copied(one), 1, copy(one));
    roof.copy_all_gb_s = rate(copied(each), threads_, copy(each));
    roof.write_gb_s = rate(moved_bytes(one), 1, write(one, false));
    roof.write_all_gb_s = rate(moved_bytes(each), threads_, write(each, false));
    if (is_main) {
      roof.write_around_gb_s = rate(moved_bytes(one), 1, write(one, true));
      scale_reads(each, buffers);
    }
    note_spread(result_.largest_memory_spread, roof.read_gb_s, roof.name);
    return {};
  }

  void scale_reads(size_t each, const std::vector<Buffer>& buffers) {
    for (ScalingRow& row : result_.scaling) {
      const auto work = [&](size_t repeats, int thread) {
        for (size_t i = 0; i < repeats; ++i) {
          kernels_.read(buffers[static_cast<size_t>(thread)].data(), each, 1, 1);
        }
      };
      row.read_gb_s = rate(static_cast<double>(each) * sizeof(float), row.threads, work).value;
    }
  }

  // Medians: these are times, and the usual one counts.
  template <class Work>
  Measured time_us(size_t calls, Work&& work) const {
    std::vector<double> times;
    times.reserve(static_cast<size_t>(options_.repetitions));
    for (int i = 0; i < options_.repetitions; ++i) {
      times.push_back(seconds_of([&] {
                        for (size_t call = 0; call < calls; ++call) work();
                      }) *
                      1e6 / static_cast<double>(calls));
    }
    std::ranges::sort(times);
    const double median = ranked(times, 0.5);
    return {median, median > 0 ? (ranked(times, 0.9) - ranked(times, 0.1)) / median : 0};
  }

  void measure_dispatch() {
    report("dispatch");
    result_.roofs.clock_us = time_us(2000, [] {
      const volatile auto now = Clock::now().time_since_epoch().count();
      static_cast<void>(now);
    });
    for (const ScalingRow& row : result_.scaling) {
      if (row.threads == 1) continue;
      ThreadPool pool(row.threads);
      const auto nothing = [&] {
        pool.parallel_for(static_cast<size_t>(row.threads), [](size_t, int) {});
      };
      for (int i = 0; i < 100; ++i) nothing();
      result_.roofs.dispatch.push_back({row.threads, time_us(500, nothing)});
    }
  }

  void measure_frequency() {
    constexpr size_t kRounds = 200000, kAdditions = 8;
    std::vector<double> rates;
    rates.reserve(static_cast<size_t>(options_.repetitions));
    for (int i = 0; i < options_.repetitions; ++i) {
      const double seconds = seconds_of([] {
        // Within the work: a captured sum would lie in memory, and wait for it.
        size_t sum = 0;
        for (size_t round = 0; round < kRounds; ++round) {
          for (size_t j = 0; j < kAdditions; ++j) {
            sum += round;
            asm volatile("" : "+r"(sum));
          }
        }
      });
      rates.push_back(static_cast<double>(kRounds * kAdditions) / seconds / 1e6);
    }
    result_.frequency_mhz = summarise(std::move(rates));
  }

  Status check_noise() const {
    if (result_.largest_compute_spread > options_.largest_compute_spread ||
        result_.largest_memory_spread > options_.largest_memory_spread) {
      return check_failed(
          "the machine is too noisy to measure: peak arithmetic spreads by {:.0f} % (at most "
          "{:.0f} "
          "%), memory by {:.0f} % (at most {:.0f} %), worst at {}; stop what else runs and try "
          "again",
          result_.largest_compute_spread * 100, options_.largest_compute_spread * 100,
          result_.largest_memory_spread * 100, options_.largest_memory_spread * 100, noisiest_);
    }
    return {};
  }

  const ProbeKernels& kernels_;
  const ProbeOptions& options_;
  ProbeResult result_;
  std::unique_ptr<ThreadPool> pool_;
  int threads_ = 1;
  double slot_s_ = 0.01;
  size_t stage_ = 0;
  std::string noisiest_;
};

}  // namespace

Device device_of(const ProbeResult& result, std::string name) {
  Device device;
  device.name = std::move(name);
  device.model = result.topology.cpu_model;
  device.source = "measured by device probe";
  Cluster cluster;
  cluster.name = result.topology.cpu_model;
  for (int cpu = 0; cpu < result.roofs.cores; ++cpu) cluster.cpus.push_back(cpu);
  cluster.capacity = 1024;
  cluster.instruction_sets = result.topology.features;
  if (!result.roofs.dispatch.empty()) {
    cluster.dispatch_us = result.roofs.dispatch.back().dispatch_us.value;
  }
  const auto frequency_khz = std::max<int64_t>(1, std::llround(result.frequency_mhz.value * 1000));
  for (const ComputeRoof& roof : result.roofs.compute) {
    // The quickest unit of each type; find_compute_roof says which that is.
    if (find_compute_roof(result.roofs, roof.type) != &roof) continue;
    cluster.peaks.push_back({roof.type, roof.core_gop_s.value * kGiga, frequency_khz, true,
                             fmt::format("device probe, {} unit, spread {:.1f} %", roof.unit,
                                         roof.core_gop_s.spread * 100)});
  }
  device.clusters.push_back(std::move(cluster));
  for (const MemoryRoof& roof : result.roofs.memory) {
    MemoryLevel level;
    level.name = roof.name == "DRAM" ? "dram" : roof.name;
    level.size_bytes = roof.size_bytes > 0 ? roof.size_bytes : result.topology.memory_bytes;
    level.shared_by_cpus = roof.is_shared ? result.roofs.cores : 1;
    level.bandwidth_bytes_per_s = roof.read_all_gb_s.value * kGiga;
    level.write_bytes_per_s = roof.write_all_gb_s.value * kGiga;
    level.copy_bytes_per_s = roof.copy_all_gb_s.value * kGiga;
    level.measured = true;
    level.source = fmt::format("device probe, read by all cores, spread {:.1f} %",
                               roof.read_all_gb_s.spread * 100);
    device.memory.push_back(std::move(level));
  }
  return device;
}

Result<ProbeResult> probe_host(const ProbeKernels& kernels, const ProbeOptions& options) {
  return Probe(kernels, options).run();
}

}  // namespace edgewright
