// Kernels for sparse weights on every instruction set against the reference kernels, which know
// nothing of zeros.
#include "kernels/sparse/sparse_weights.h"

#include <cmath>

#include "kernels/reference/run_kernel.h"
#include "kernels/trial_check.h"

namespace edgewright {
namespace {

// A fixed mixture of the index, so that zeros lie everywhere.
int64_t mixed(int64_t i) {
  return static_cast<int64_t>((static_cast<uint64_t>(i) * 2654435761u) >> 7 & 0xffff);
}

Tensor expected_output(const Trial& trial) {
  const KernelRequest request = trial.request();
  std::vector<Datum> inputs;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const bool omitted = request.inputs[i].dtype == DType::kUndefined;
    inputs.push_back(omitted ? Datum() : Datum(trial.value(i)));
  }
  auto made = reference::run_kernel(request.op, std::move(inputs), trial.attributes(), 1,
                                    std::string(request.domain));
  EDGEWRIGHT_CHECK(made.ok());
  return (*made)[0].tensor();
}

struct ProductCase {
  int64_t m, k, n;
  bool transpose_b = false, bias = false, residual = false;
  const char* activation = "";
  float scale = 1;
};

// `drops` says of weight (n, k) whether it is zero.
Trial product_trial(const ProductCase& c, FunctionRef<bool(int64_t n, int64_t k)> drops) {
  Trial trial("edgewright", "MatMul");
  trial.attribute("transpose_b", int64_t{c.transpose_b})
      .attribute("alpha_scale", c.scale)
      .attribute("activation", std::string(c.activation));
  trial.input({c.m, c.k});
  trial.constant(c.transpose_b ? Dims{c.n, c.k} : Dims{c.k, c.n});
  trial.zero_where(
      [&](int64_t i) { return c.transpose_b ? drops(i / c.k, i % c.k) : drops(i % c.n, i / c.n); });
  c.bias ? trial.constant({c.n}) : trial.omitted();
  if (c.residual) trial.input({c.m, c.n});
  trial.output({c.m, c.n});
  return trial;
}

constexpr ProductCase kProducts[] = {
    {1, 64, 33, true, true},
    {3, 300, 20, false, true, true, "Relu"},
    {5, 64, 100, false, false, false, "", 0.25f},
    {65, 192, 48, false, true, true, "Gelu"},
    {200, 40, 17, true, true},
    {130, 520, 16, true, false, true, "Relu"},
};

TEST(SparseMatMul, CompressedRowsAgreeWithTheDefinition) {
  for (const ProductCase& c : kProducts) {
    const Trial trial =
        product_trial(c, [&](int64_t n, int64_t k) { return mixed(n * c.k + k) % 100 < 85; });
    expect_agrees(trial, "matmul_csr_f32_hwy", expected_output(trial), kMatMulTolerance);
  }
}

TEST(SparseMatMul, TwoOfFourAgreesWithTheDefinition) {
  for (const ProductCase& c : kProducts) {
    // Two places of every four, in all six combinations; now and then one or none is left.
    const auto drops = [&](int64_t n, int64_t k) {
      constexpr int kKept[] = {3, 5, 9, 6, 10, 12, 1, 8, 0};
      return (kKept[mixed(n * c.k + k / 4) % 9] >> (k % 4) & 1) == 0;
    };
    const Trial trial = product_trial(c, drops);
    expect_agrees(trial, "matmul_2of4_f32_hwy", expected_output(trial), kMatMulTolerance);
  }
}

TEST(SparseMatMul, TakesNoDenseWeights) {
  const ProductCase c = {65, 192, 48};
  const Trial dense = product_trial(c, [](int64_t, int64_t) { return false; });
  EXPECT_FALSE(accepts(dense, "matmul_csr_f32_hwy"));
  EXPECT_FALSE(accepts(dense, "matmul_2of4_f32_hwy"));
  // As many zeros as 2:4 has, but three weights stand in one four.
  const Trial uneven =
      product_trial(c, [](int64_t n, int64_t k) { return k < 4 && n == 0 ? k == 0 : k % 2 == 0; });
  EXPECT_TRUE(accepts(uneven, "matmul_csr_f32_hwy"));
  EXPECT_FALSE(accepts(uneven, "matmul_2of4_f32_hwy"));
}

TEST(SparseMatMul, RefusesDamagedRows) {
  const ProductCase c = {65, 192, 48};
  const Trial trial = product_trial(c, [](int64_t n, int64_t k) { return (n + k) % 4 != 0; });
  const KernelImplementation* one = find_implementation("matmul_csr_f32_hwy");
  auto packed = one->pack(trial.request());
  ASSERT_TRUE(packed.ok());
  EXPECT_TRUE(one->create(trial.request(), packed->byte_span()).ok());
  const auto kind_of = [&](std::span<const std::byte> bytes) {
    const auto made = one->create(trial.request(), bytes);
    return made.ok() ? ErrorKind::kInternal : made.error().kind;
  };
  EXPECT_EQ(kind_of(packed->byte_span().first(100)), ErrorKind::kBadInput);
  EXPECT_EQ(kind_of(packed->byte_span().first(packed->byte_span().size() - 2)),
            ErrorKind::kBadInput);
  // An input beyond the last one.
  const size_t size = packed->size_bytes();
  packed->mutable_bytes()[size - 1] = std::byte{0xff};
  EXPECT_EQ(kind_of(packed->byte_span()), ErrorKind::kBadInput);
}

struct ConvCase {
  int64_t batch, in, out, height, width, kernel, stride, dilation;
  std::vector<int64_t> pads;
  const char* activation = "";
  bool residual = false;
  int64_t residual_first = 1;
  Layout layout = Layout::kNchw16c;
};

TEST(SparseConv, AgreesWithTheDefinition) {
  const ConvCase cases[] = {
      {1, 16, 16, 5, 7, 3, 1, 1, {1, 1, 1, 1}},
      {2, 32, 48, 9, 33, 3, 1, 1, {1, 1, 1, 1}, "Relu", true},
      {1, 8, 12, 8, 8, 3, 1, 1, {1, 1, 1, 1}, "Relu"},
      {1, 24, 40, 8, 8, 3, 2, 1, {0, 0, 1, 1}, "Silu", true, 0},
      {1, 80, 80, 19, 21, 1, 1, 1, {0, 0, 0, 0}, "HardSwish"},
      {2, 20, 16, 11, 10, 1, 2, 1, {0, 0, 0, 0}},
      {1, 16, 112, 12, 9, 3, 1, 2, {2, 2, 2, 2}, "Relu", true, 0},
      {1, 3, 32, 33, 32, 3, 1, 1, {1, 1, 1, 1}, "Relu", false, 1, Layout::kPlain},
      {2, 3, 16, 17, 19, 7, 3, 1, {3, 2, 3, 2}, "", false, 1, Layout::kPlain},
  };
  for (const ConvCase& c : cases) {
    const auto extent = [&](int64_t size, int64_t pads) {
      return (size + pads - (c.kernel - 1) * c.dilation - 1) / c.stride + 1;
    };
    const Dims y = {c.batch, c.out, extent(c.height, c.pads[0] + c.pads[2]),
                    extent(c.width, c.pads[1] + c.pads[3])};
    Trial trial("edgewright", "Conv2d");
    trial.attribute("strides", std::vector<int64_t>{c.stride, c.stride})
        .attribute("dilations", std::vector<int64_t>{c.dilation, c.dilation})
        .attribute("pads", c.pads)
        .attribute("group", int64_t{1})
        .attribute("activation", std::string(c.activation))
        .attribute("residual_before_activation", c.residual_first);
    trial.input({c.batch, c.in, c.height, c.width}, c.layout)
        .constant({c.out, c.in, c.kernel, c.kernel})
        .zero_where([](int64_t i) { return mixed(i) % 100 < 80; })
        .constant({c.out});
    if (c.residual) trial.input(y, Layout::kNchw16c);
    trial.output(y, Layout::kNchw16c);
    expect_agrees(trial, "conv2d_csr_f32_hwy", expected_output(trial), kConvTolerance);
  }
}

// Zeros of int8 weights [N, K] that leave two of every four along K.
bool drops_half(int64_t index) {
  constexpr int kKept[] = {3, 5, 9, 6, 10, 12};
  return (kKept[mixed(index / 4) % 6] >> (index % 4) & 1) == 0;
}

void expect_bytes_agree(const Trial& trial, std::string_view name) {
  const auto expected = expected_output(trial).to_doubles();
  ASSERT_TRUE(expected.ok());
  expect_each_run(trial, name, [&](const Tensor& output) -> std::string {
    const auto found = output.to_doubles();
    for (size_t i = 0; i < expected->size(); ++i) {
      // A result right between two integers may fall to either.
      const double off = std::abs((*found)[i] - (*expected)[i]);
      if (off > 1)
        return fmt::format("element {} is {} instead of {}", i, (*found)[i], (*expected)[i]);
    }
    return {};
  });
}

TEST(SparseIntegers, ProductOfTwoOfFour) {
  struct Case {
    int64_t m, k, n;
    DType a, y;
  };
  for (const Case& c : {Case{65, 128, 48, DType::kUint8, DType::kUint8},
                        Case{3, 72, 20, DType::kInt8, DType::kInt8},
                        Case{33, 300, 33, DType::kUint8, DType::kInt8}}) {
    Trial trial("edgewright", "QuantizedMatMul");
    trial.attribute("x_zero", int64_t{c.a == DType::kInt8 ? -7 : 120})
        .attribute("transpose_b", int64_t{1})
        .attribute("y_type", static_cast<int64_t>(c.y))
        .attribute("y_scale", 0.5f)
        .attribute("y_zero", int64_t{3});
    trial.bytes(c.a, {c.m, c.k})
        .bytes(DType::kInt8, {c.n, c.k}, Layout::kPlain, true)
        .zero_where([](int64_t i) { return drops_half(i); });
    trial.tensor(Tensor::of<float>({1}, {0.002f}), true).constant({c.n});
    trial.output({c.m, c.n}, Layout::kPlain, c.y);
    expect_bytes_agree(trial, "quantized_matmul_2of4_s8_hwy");
  }
}

TEST(SparseIntegers, ConvolutionOfTwoOfFourChannels) {
  for (const int64_t kernel : {1, 3}) {
    const int64_t in = 32, out = 24;
    Trial trial("edgewright", "QuantizedConv2d");
    trial.attribute("strides", std::vector<int64_t>{1, 1})
        .attribute("pads", std::vector<int64_t>(4, kernel / 2))
        .attribute("group", int64_t{1})
        .attribute("x_zero", int64_t{100})
        .attribute("activation", std::string("Relu"))
        .attribute("y_type", static_cast<int64_t>(DType::kUint8))
        .attribute("y_scale", 0.75f)
        .attribute("y_zero", int64_t{0});
    const int64_t taps = kernel * kernel;
    trial.bytes(DType::kUint8, {2, in, 9, 7}, Layout::kNhwc)
        .bytes(DType::kInt8, {out, in, kernel, kernel}, Layout::kPlain, true)
        .zero_where([&](int64_t i) {
          const int64_t tap = i % taps, channel = i / taps % in, o = i / taps / in;
          return drops_half((o * taps + tap) * in + channel);
        });
    trial.tensor(Tensor::of<float>({1}, {0.003f}), true).constant({out});
    trial.output({2, out, 9, 7}, Layout::kNhwc, DType::kUint8);
    expect_bytes_agree(trial, "quantized_conv2d_2of4_s8_hwy");
    if (kernel == 1) expect_bytes_agree(trial, "quantized_conv2d_pointwise_2of4_s8_hwy");
  }
}

Trial sparse_product_trial(const ProductCase& c, DType a, DType y) {
  Trial trial("edgewright", "QuantizedMatMul");
  trial.attribute("x_zero", int64_t{a == DType::kInt8 ? -7 : 120})
      .attribute("transpose_b", int64_t{c.transpose_b})
      .attribute("activation", std::string(c.activation))
      .attribute("y_type", static_cast<int64_t>(y))
      .attribute("y_scale", 0.5f)
      .attribute("y_zero", int64_t{3})
      .attribute("residual_scale", 0.25f)
      .attribute("residual_zero", int64_t{9});
  trial.bytes(a, {c.m, c.k})
      .bytes(DType::kInt8, c.transpose_b ? Dims{c.n, c.k} : Dims{c.k, c.n}, Layout::kPlain, true)
      .zero_where([](int64_t i) { return mixed(i) % 100 < 90; });
  trial.tensor(Tensor::of<float>({1}, {0.002f}), true);
  c.bias ? trial.constant({c.n}) : trial.omitted();
  if (c.residual) trial.bytes(DType::kUint8, {c.m, c.n});
  trial.output({c.m, c.n}, Layout::kPlain, y);
  return trial;
}

TEST(SparseIntegers, ProductOfCompressedRows) {
  for (const ProductCase& c : kProducts) {
    for (const DType a : {DType::kUint8, DType::kInt8}) {
      const Trial trial = sparse_product_trial(c, a, DType::kUint8);
      expect_bytes_agree(trial, "quantized_matmul_csr_s8_hwy");
    }
  }
}

TEST(SparseIntegers, ConvolutionOfCompressedRows) {
  struct Case {
    int64_t batch, in, out, height, width, kernel, stride, dilation, pad;
    DType x = DType::kUint8;
  };
  const Case cases[] = {
      {1, 16, 16, 5, 7, 3, 1, 1, 1},   {2, 32, 48, 9, 33, 3, 1, 1, 1, DType::kInt8},
      {1, 24, 40, 8, 8, 3, 2, 1, 1},   {2, 20, 17, 11, 10, 1, 2, 1, 0},
      {1, 7, 12, 12, 9, 3, 1, 2, 2},   {1, 3, 32, 33, 32, 5, 2, 1, 2, DType::kInt8},
      {1, 80, 80, 19, 21, 1, 1, 1, 0}, {1, 300, 16, 6, 6, 3, 1, 1, 1},
  };
  for (const Case& c : cases) {
    const auto extent = [&](int64_t size) {
      return (size + 2 * c.pad - (c.kernel - 1) * c.dilation - 1) / c.stride + 1;
    };
    const Dims y = {c.batch, c.out, extent(c.height), extent(c.width)};
    Trial trial("edgewright", "QuantizedConv2d");
    trial.attribute("strides", std::vector<int64_t>{c.stride, c.stride})
        .attribute("dilations", std::vector<int64_t>{c.dilation, c.dilation})
        .attribute("pads", std::vector<int64_t>(4, c.pad))
        .attribute("group", int64_t{1})
        .attribute("x_zero", int64_t{c.x == DType::kInt8 ? -9 : 100})
        .attribute("activation", std::string("Relu"))
        .attribute("y_type", static_cast<int64_t>(DType::kUint8))
        .attribute("y_scale", 0.75f)
        .attribute("y_zero", int64_t{0});
    trial.bytes(c.x, {c.batch, c.in, c.height, c.width}, Layout::kNhwc)
        .bytes(DType::kInt8, {c.out, c.in, c.kernel, c.kernel}, Layout::kPlain, true)
        .zero_where([](int64_t i) { return mixed(i) % 100 < 88; });
    trial.tensor(Tensor::of<float>({1}, {0.003f}), true).constant({c.out});
    trial.output(y, Layout::kNhwc, DType::kUint8);
    expect_bytes_agree(trial, "quantized_conv2d_csr_s8_hwy");
  }
}

TEST(SparseIntegers, CompressedRowsRefuseDenseAndDamagedWeights) {
  const ProductCase c = {65, 192, 48, true};
  const Trial good = sparse_product_trial(c, DType::kUint8, DType::kUint8);
  const KernelImplementation* one = find_implementation("quantized_matmul_csr_s8_hwy");
  EXPECT_TRUE(one->supports(good.request()));
  auto packed = one->pack(good.request());
  ASSERT_TRUE(packed.ok());
  EXPECT_TRUE(one->create(good.request(), packed->byte_span()).ok());
  packed->mutable_bytes()[packed->size_bytes() - 1] = std::byte{0xff};
  const auto made = one->create(good.request(), packed->byte_span());
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, ErrorKind::kBadInput);
  Trial dense("edgewright", "QuantizedMatMul");
  dense.attribute("transpose_b", int64_t{1})
      .attribute("y_type", static_cast<int64_t>(DType::kUint8))
      .attribute("y_scale", 0.5f);
  dense.bytes(DType::kUint8, {8, 32}).bytes(DType::kInt8, {16, 32}, Layout::kPlain, true);
  dense.tensor(Tensor::of<float>({1}, {0.002f}), true).constant({16});
  dense.output({8, 16}, Layout::kPlain, DType::kUint8);
  EXPECT_TRUE(accepts(dense, "quantized_matmul_s8_hwy"));
  EXPECT_FALSE(accepts(dense, "quantized_matmul_csr_s8_hwy"));
}

TEST(SparseWeights, SharesAreSeenAndDenseOnesPassedOver) {
  std::vector<float> values(4096, 1.0f);
  EXPECT_EQ(share_of_zeros(Tensor::of<float>({64, 64}, values)), 0);
  for (size_t i = 0; i < values.size(); i += 2) values[i] = 0;
  values[1] = 0;
  EXPECT_NEAR(share_of_zeros(Tensor::of<float>({64, 64}, values)), 2049.0 / 4096, 1e-9);
}

}  // namespace
}  // namespace edgewright
