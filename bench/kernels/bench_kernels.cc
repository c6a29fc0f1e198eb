// Times every implementation of the tables on layer shapes of small networks: one line each with
// microseconds (the least of several rounds) and GFLOP/s.
//   bench_kernels [SUBSTRING of case or implementation] [THREADS]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "kernels/trial.h"

namespace edgewright {
namespace {

double least_us(Trial::Run& run, ThreadPool& pool) {
  using Clock = std::chrono::steady_clock;
  const auto time = [&](int calls) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) run(pool);
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / calls;
  };
  double least = time(1);
  const int calls = std::clamp(static_cast<int>(2000.0 / (least + 0.1)), 1, 2000);
  for (int round = 0; round < 12; ++round) least = std::min(least, time(calls));
  return least;
}

struct Bench {
  std::string filter;
  int threads;

  void run(const std::string& name, const Trial& trial, double flops) const {
    ThreadPool pool(threads);
    const KernelRequest request = trial.request();
    for (const auto* row : find_implementations(request.domain, request.op)) {
      if ((name + " " + std::string(row->name)).find(filter) == std::string::npos) continue;
      auto prepared = trial.prepare(*row, threads);
      if (!prepared.ok()) continue;
      const double us = least_us(*prepared, pool);
      fmt::print("{:44} {:34} {:9.2f} us {:8.1f} GFLOP/s\n", name, row->name, us,
                 flops / us * 1e-3);
    }
  }
};

struct ConvCase {
  int64_t in, out, size, kernel, stride, group;
  Layout layout;
};
constexpr Layout kBlocked = Layout::kNchw16c;
constexpr ConvCase kConvs[] = {
    {3, 32, 32, 3, 1, 1, Layout::kPlain},  {32, 32, 32, 3, 1, 1, kBlocked},
    {32, 64, 32, 3, 2, 1, kBlocked},       {64, 64, 16, 3, 1, 1, kBlocked},
    {64, 128, 16, 3, 2, 1, kBlocked},      {128, 128, 8, 3, 1, 1, kBlocked},
    {64, 128, 16, 1, 2, 1, kBlocked},      {96, 24, 32, 1, 1, 1, kBlocked},
    {24, 144, 32, 1, 1, 1, kBlocked},      {192, 32, 16, 1, 1, 1, kBlocked},
    {384, 64, 8, 1, 1, 1, kBlocked},       {160, 960, 4, 1, 1, 1, kBlocked},
    {960, 160, 4, 1, 1, 1, kBlocked},      {320, 1280, 4, 1, 1, 1, kBlocked},
    {3, 64, 224, 3, 2, 1, Layout::kPlain}, {64, 16, 55, 1, 1, 1, kBlocked},
    {16, 64, 55, 3, 1, 1, kBlocked},       {64, 256, 13, 3, 1, 1, kBlocked},
    {512, 1000, 13, 1, 1, 1, kBlocked},    {96, 96, 32, 3, 1, 96, kBlocked},
    {144, 144, 32, 3, 2, 144, kBlocked},   {192, 192, 16, 3, 1, 192, kBlocked},
    {384, 384, 8, 3, 1, 384, kBlocked},    {960, 960, 4, 3, 1, 960, kBlocked},
    {64, 64, 30, 3, 1, 64, kBlocked},      {128, 128, 15, 3, 1, 128, kBlocked},
};

void bench_convs(const Bench& bench) {
  for (const ConvCase& c : kConvs) {
    const int64_t pad = c.kernel / 2;
    const int64_t out = (c.size + 2 * pad - c.kernel) / c.stride + 1;
    Trial trial("edgewright", "Conv2d");
    trial.attribute("strides", std::vector<int64_t>{c.stride, c.stride})
        .attribute("pads", std::vector<int64_t>{pad, pad, pad, pad})
        .attribute("group", c.group)
        .attribute("activation", std::string("Relu"))
        .input({1, c.in, c.size, c.size}, c.layout)
        .constant({c.out, c.in / c.group, c.kernel, c.kernel})
        .constant({c.out})
        .output({1, c.out, out, out}, kBlocked);
    const double flops =
        2.0 * static_cast<double>(c.out * out * out * c.in / c.group * c.kernel * c.kernel);
    bench.run(fmt::format("conv {}->{} {}x{} k{} s{} g{}", c.in, c.out, c.size, c.size, c.kernel,
                          c.stride, c.group),
              trial, flops);
  }
}

void bench_matmuls(const Bench& bench) {
  constexpr int64_t kShapes[][3] = {{65, 128, 384}, {65, 128, 128}, {65, 128, 512}, {65, 512, 128},
                                    {65, 192, 768}, {65, 768, 192}, {1, 256, 10},   {1, 1280, 10},
                                    {1, 128, 512},  {64, 48, 192}};
  for (const auto& [m, k, n] : kShapes) {
    Trial trial("edgewright", "MatMul");
    trial.input({m, k}).constant({k, n}).constant({n}).output({m, n});
    bench.run(fmt::format("matmul {}x{}x{}", m, k, n), trial, 2.0 * static_cast<double>(m * k * n));
  }
}

// Bytes and weights of which a share is zero, spread by a fixed mixture of their places.
void bench_sparse_bytes(const Bench& bench) {
  constexpr int64_t kShapes[][3] = {
      {65, 128, 384}, {65, 512, 128}, {196, 768, 768}, {784, 256, 64}};
  for (const auto& [m, k, n] : kShapes) {
    for (const int64_t zeros : {50, 70, 80, 90, 95, 98}) {
      Trial trial("edgewright", "QuantizedMatMul");
      trial.attribute("x_zero", int64_t{120})
          .attribute("transpose_b", int64_t{1})
          .attribute("y_type", static_cast<int64_t>(DType::kUint8))
          .attribute("y_scale", 0.5f);
      const auto is_zero = [&](int64_t i) {
        return static_cast<int64_t>(static_cast<uint64_t>(i) * 2654435761u >> 7 & 0xffff) % 100 <
               zeros;
      };
      trial.bytes(DType::kUint8, {m, k})
          .bytes(DType::kInt8, {n, k}, Layout::kPlain, true)
          .zero_where(is_zero);
      trial.tensor(Tensor::of<float>({1}, {0.002f}), true).constant({n});
      trial.output({m, n}, Layout::kPlain, DType::kUint8);
      bench.run(fmt::format("int8 matmul {}x{}x{}, {} % zeros", m, k, n, zeros), trial,
                2.0 * static_cast<double>(m * k * n));
    }
  }
}

void bench_others(const Bench& bench) {
  Trial attention("edgewright", "Attention");
  attention.attribute("num_heads", int64_t{4});
  for (int i = 0; i < 3; ++i) attention.input({1, 65, 128});
  attention.output({1, 65, 128});
  bench.run("attention 65x128 of 4 heads", attention, 4.0 * 65 * 65 * 128);
  Trial softmax("", "Softmax");
  softmax.input({4, 65, 65}).output({4, 65, 65});
  bench.run("softmax 4x65x65", softmax, 4.0 * 65 * 65);
  Trial normalization("", "LayerNormalization");
  normalization.input({65, 128}).constant({128}).constant({128}).output({65, 128});
  bench.run("layer normalization 65x128", normalization, 65.0 * 128);
  Trial gelu("", "Gelu");
  gelu.input({65, 512}).output({65, 512});
  bench.run("gelu 65x512", gelu, 65.0 * 512);
  Trial transpose("", "Transpose");
  transpose.attribute("perm", std::vector<int64_t>{0, 2, 3, 1});
  transpose.input({1, 12, 30, 40}).output({1, 30, 40, 12});
  bench.run("transpose 12x30x40", transpose, 12.0 * 30 * 40);
  Trial lstm("", "LSTM");
  lstm.input({1, 1, 128}).constant({1, 512, 128}).constant({1, 512, 128}).constant({1, 1024});
  lstm.output({1, 1, 1, 128});
  bench.run("lstm 1 step of 128", lstm, 2.0 * 512 * 256);
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  const edgewright::Bench bench{argc > 1 ? argv[1] : "", argc > 2 ? std::atoi(argv[2]) : 1};
  edgewright::bench_convs(bench);
  edgewright::bench_matmuls(bench);
  edgewright::bench_sparse_bytes(bench);
  edgewright::bench_others(bench);
}
