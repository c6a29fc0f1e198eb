// Times products with packed weights: every implementation, one line each with the least time,
// GB/s of weights and GOP/s. Matrices change from call to call, so that weights come from memory.
//   bench_products TYPE INPUT_ROWS [ROWS COLUMNS [THREADS [TOTAL_MIB]]]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "decoder.h"
#include "kernels/language/product.h"

namespace edgewright::language {
namespace {

using Clock = std::chrono::steady_clock;

struct Bench {
  WeightType type;
  size_t inputs, rows, columns;
  int threads;
  size_t total_bytes;

  void run(const ProductRow& row, Phase phase) const {
    if (!product_supported(row, type, phase)) return;
    const size_t bytes = packed_bytes(type, rows, columns);
    const size_t count = std::max<size_t>(1, total_bytes / bytes);
    const Pages weights(bytes * count, true);
    // All scales are 2^-12 or so, all values too: only the speed matters.
    std::memset(weights.bytes().data(), 0x0c, bytes * count);
    std::vector<float> input(inputs * columns, 0.5f), output(inputs * rows);
    const Pages workspace(linear_workspace_bytes(inputs, columns, threads), true);
    ThreadPool pool(threads);
    std::vector<double> times;
    const auto start = Clock::now();
    for (size_t i = 0; times.size() < 3 || Clock::now() - start < std::chrono::seconds(1); ++i) {
      LinearCall call;
      call.weights = {type, rows, columns, weights.bytes().data() + i % count * bytes};
      call.input = input.data();
      call.input_step = columns;
      call.output = output.data();
      call.output_step = rows;
      call.rows = inputs;
      call.phase = phase;
      const auto begin = Clock::now();
      linear_with(row, call, workspace.bytes(), pool);
      times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
    const double seconds = std::ranges::min(times);
    const double operations = 2.0 * static_cast<double>(inputs * rows * columns);
    fmt::print("{:22} {:7} {:7} {}x{} of {:3} rows {:10.1f} us {:6.1f} GB/s {:7.1f} GOP/s\n",
               row.name, weight_type_name(type), phase == Phase::kDecode ? "decode" : "prefill",
               rows, columns, inputs, seconds * 1e6, static_cast<double>(bytes) / seconds * 1e-9,
               operations / seconds * 1e-9);
  }
};

}  // namespace
}  // namespace edgewright::language

int main(int argc, char** argv) {
  using namespace edgewright::language;
  const auto number = [&](int i, size_t otherwise) {
    return argc > i ? static_cast<size_t>(std::atoll(argv[i])) : otherwise;
  };
  int type = 0;
  while (argc > 1 && type < kWeightTypeCount &&
         std::strcmp(weight_type_name(static_cast<WeightType>(type)), argv[1]) != 0) {
    ++type;
  }
  if (argc < 3 || type == kWeightTypeCount) {
    fmt::print(stderr, "usage: bench_products TYPE INPUT_ROWS [ROWS COLUMNS [THREADS [MIB]]]\n");
    return 2;
  }
  const Bench bench{
      static_cast<WeightType>(type),  number(2, 1),        number(3, 5632), number(4, 2048),
      static_cast<int>(number(5, 1)), number(6, 512) << 20};
  for (const ProductRow& row : product_implementations()) {
    if (row.name == "linear_reference") continue;
    for (const Phase phase : {Phase::kDecode, Phase::kPrefill}) bench.run(row, phase);
  }
}
