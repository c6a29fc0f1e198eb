// Times the kernels of src/kernels/language chained to a whole decoder of random weights.
//   bench_decoder SHAPE TYPE THREADS MODE...
// SHAPE: llama-1.1b, novel-31m, novel-7m, novel-1m-draft; TYPE: q8, q4, q4g128, f16, bf16.
// MODE: decode[@CONTEXT], batch8, prefill512 (any numbers); each prints one line of
//   SHAPE TYPE threads MODE tokens/s GB/s|GFLOP/s
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "decoder.h"

namespace edgewright::language {
namespace {

using Clock = std::chrono::steady_clock;

template <class Step>
// The least of the times of about two seconds: what else the machine does only adds to it.
double least_seconds(double budget_s, Step step) {
  std::vector<double> times;
  const auto start = Clock::now();
  step();
  do {
    const auto begin = Clock::now();
    step();
    times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  } while (std::chrono::duration<double>(Clock::now() - start).count() < budget_s);
  return std::ranges::min(times);
}

size_t number_after(const std::string& mode, const std::string& word, size_t otherwise) {
  const size_t at = mode.find(word);
  if (at == std::string::npos) return otherwise;
  const std::string rest = mode.substr(at + word.size());
  return rest.empty() ? otherwise : static_cast<size_t>(std::atoll(rest.c_str()));
}

void measure(const DecoderShape& shape, WeightType type, int threads, const std::string& mode,
             Decoder& decoder, ThreadPool& pool) {
  const size_t tokens = number_after(mode, "prefill", 0);
  const size_t sequences = std::max<size_t>(1, number_after(mode, "batch", 1));
  const size_t context = number_after(mode, "@", 16);
  const bool is_prefill = mode.starts_with("prefill");
  const double seconds = least_seconds(2.0, [&] {
    if (is_prefill) {
      decoder.prefill(tokens, 0, pool);
    } else {
      decoder.decode(sequences, context, pool);
    }
  });
  const double steps = static_cast<double>(is_prefill ? tokens : sequences);
  const double bits = static_cast<double>(decoder.weight_bytes());
  const double parameters = static_cast<double>(
      shape.layers * shape.hidden *
      (2 * (shape.heads + shape.cache_heads) * shape.head_size + 3 * shape.feed_forward));
  fmt::print("{} {} {} {} {:.1f} tokens/s {:.2f} {}\n", shape.name, weight_type_name(type), threads,
             mode, steps / seconds,
             is_prefill ? 2 * parameters * steps / seconds * 1e-9 : bits / seconds * 1e-9,
             is_prefill ? "GFLOP/s" : "GB/s");
}

int run(int argc, char** argv) {
  const auto* shape =
      std::ranges::find(kDecoderShapes, std::string_view(argv[1]), &DecoderShape::name);
  int type = 0;
  while (type < kWeightTypeCount &&
         std::strcmp(weight_type_name(static_cast<WeightType>(type)), argv[2]) != 0) {
    ++type;
  }
  const int threads = std::atoi(argv[3]);
  if (shape == std::end(kDecoderShapes) || type == kWeightTypeCount || threads < 1) return 2;
  size_t context = 512, sequences = 1;
  for (int i = 4; i < argc; ++i) {
    context =
        std::max({context, number_after(argv[i], "@", 0) + 1, number_after(argv[i], "prefill", 0)});
    sequences = std::max(sequences, number_after(argv[i], "batch", 1));
  }
  const bool huge = std::getenv("NO_HUGE_PAGES") == nullptr;
  const CacheType cache = std::getenv("INT8_CACHE") == nullptr ? CacheType::kF16 : CacheType::kInt8;
  Decoder decoder(*shape, static_cast<WeightType>(type), cache, sequences, context, threads, huge);
  ThreadPool pool(threads);
  for (int i = 4; i < argc; ++i) {
    measure(*shape, static_cast<WeightType>(type), threads, argv[i], decoder, pool);
  }
  return 0;
}

}  // namespace
}  // namespace edgewright::language

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr, "usage: bench_decoder SHAPE TYPE THREADS MODE...\n");
    return 2;
  }
  return edgewright::language::run(argc, argv);
}
