// Integer convolutions and products on every instruction set against the reference kernels.
#include <cmath>
#include <string>

#include "kernels/reference/run_kernel.h"
#include "kernels/trial_check.h"

namespace edgewright {
namespace {

// Sums are exact; factors are folded, so that a result right between two integers may fall to the
// other side: one unit. Where the product is rounded before a sum, one unit of that too.
double worst_difference(const Tensor& actual, const Tensor& expected) {
  const auto found = actual.to_doubles(), wanted = expected.to_doubles();
  EDGEWRIGHT_CHECK(found.ok() && wanted.ok() && found->size() == wanted->size());
  double worst = 0;
  for (size_t i = 0; i < wanted->size(); ++i) {
    worst = std::max(worst, std::abs((*found)[i] - (*wanted)[i]));
  }
  return worst;
}

std::vector<Datum> expected_outputs(const Trial& trial, std::string_view op, size_t count) {
  std::vector<Datum> inputs;
  const KernelRequest request = trial.request();
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const bool omitted = request.inputs[i].dtype == DType::kUndefined;
    inputs.push_back(omitted ? Datum() : Datum(trial.value(i)));
  }
  auto made = reference::run_kernel(op, std::move(inputs), trial.attributes(), count, "edgewright");
  EDGEWRIGHT_CHECK(made.ok());
  return *std::move(made);
}

// Rounding of float32 sums in another order, in parts of the largest value.
double float_tolerance(const Tensor& expected) {
  double largest = 0;
  const auto values = expected.to_doubles();
  EDGEWRIGHT_CHECK(values.ok());
  for (const double value : *values) largest = std::max(largest, std::abs(value));
  return 1e-6 * largest;
}

// Every implementation that takes the operation, on every instruction set. `units`: how far a byte
// may be off.
int expect_all_agree(const Trial& trial, std::string_view op, double units) {
  const size_t outputs = trial.request().outputs.size();
  const auto expected = expected_outputs(trial, op, outputs);
  int ran = 0;
  for (const KernelImplementation* one : find_implementations("edgewright", op)) {
    if (!one->supports(trial.request())) continue;
    ++ran;
    for_each_target([&](const char* target) {
      for (const int threads : {1, 3}) {
        auto run = trial.prepare(*one, threads);
        ASSERT_TRUE(run.ok()) << one->name << ": " << run.error().message;
        ThreadPool pool(threads);
        (*run)(pool);
        for (size_t i = 0; i < outputs; ++i) {
          const bool is_float = trial.request().outputs[i].dtype == DType::kFloat32;
          EXPECT_LE(worst_difference(run->output(i), expected[i].tensor()),
                    is_float ? float_tolerance(expected[i].tensor()) : units)
              << one->name << " on " << target << ", output " << i << ", threads " << threads;
        }
      }
    });
  }
  return ran;
}

struct ConvCase {
  int64_t batch, in, out, height, width, kernel, stride, pad, group;
  DType x = DType::kUint8;
  DType y = DType::kUint8;
  DType residual = DType::kUndefined;
  const char* activation = "";
  bool rounded = false;
  bool also_float = false;
};

Trial conv_trial(const ConvCase& c) {
  const int64_t oh = (c.height + 2 * c.pad - c.kernel) / c.stride + 1;
  const int64_t ow = (c.width + 2 * c.pad - c.kernel) / c.stride + 1;
  Trial trial("edgewright", "QuantizedConv2d");
  trial.attribute("strides", std::vector<int64_t>{c.stride, c.stride})
      .attribute("pads", std::vector<int64_t>(4, c.pad))
      .attribute("group", c.group)
      .attribute("activation", std::string(c.activation))
      .attribute("x_zero", int64_t{c.x == DType::kInt8 ? -5 : 117})
      .attribute("y_type", static_cast<int64_t>(c.y))
      .attribute("y_scale", 0.75f)
      .attribute("y_zero", int64_t{3});
  if (c.rounded) {
    trial.attribute("product_scale", 0.5f).attribute("product_zero", int64_t{100});
  }
  trial.bytes(c.x, {c.batch, c.in, c.height, c.width}, Layout::kNhwc)
      .bytes(DType::kInt8, {c.out, c.in / c.group, c.kernel, c.kernel}, Layout::kPlain, true);
  auto factors = Tensor::allocate(DType::kFloat32, {c.out});
  EDGEWRIGHT_CHECK(factors.ok());
  for (int64_t i = 0; i < c.out; ++i) {
    factors->mutable_data<float>()[i] =
        0.004f / static_cast<float>(c.kernel) * (1.0f + static_cast<float>(i % 5));
  }
  trial.tensor(*std::move(factors), true).constant({c.out});
  if (c.residual == DType::kFloat32) {
    trial.input({c.batch, c.out, oh, ow}, Layout::kNhwc);
  } else if (c.residual != DType::kUndefined) {
    trial.bytes(c.residual, {c.batch, c.out, oh, ow}, Layout::kNhwc)
        .attribute("residual_scale", 0.25f)
        .attribute("residual_zero", int64_t{9});
  }
  trial.output({c.batch, c.out, oh, ow}, Layout::kNhwc, c.y);
  if (c.also_float) trial.output({c.batch, c.out, oh, ow}, Layout::kNhwc);
  return trial;
}

constexpr DType kU8 = DType::kUint8, kS8 = DType::kInt8, kF32 = DType::kFloat32,
                kAbsent = DType::kUndefined;

TEST(QuantizedConv, PlainStridedAndOfFewChannels) {
  const ConvCase cases[] = {
      {1, 32, 32, 9, 9, 3, 1, 1, 1},
      {2, 3, 20, 11, 7, 3, 1, 1, 1},
      {1, 64, 33, 8, 8, 3, 2, 1, 1, kS8},
      {1, 16, 48, 5, 6, 5, 1, 2, 1, kU8, kS8},
      {1, 7, 5, 6, 6, 3, 2, 0, 1, kS8, kF32},
      {1, 32, 64, 8, 8, 1, 2, 0, 1},
      {1, 128, 16, 4, 4, 3, 1, 1, 1, kU8, kU8, kAbsent, "Relu"},
  };
  for (const ConvCase& c : cases) {
    EXPECT_GE(expect_all_agree(conv_trial(c), "QuantizedConv2d", 1), 1) << c.in << " " << c.out;
  }
}

TEST(QuantizedConv, PointwiseReadsBeyondNoRow) {
  const ConvCase cases[] = {
      {1, 24, 17, 5, 7, 1, 1, 0, 1},
      {2, 64, 32, 4, 4, 1, 1, 0, 1, kS8, kS8},
      {1, 5, 3, 2, 2, 1, 1, 0, 1},
      {1, 96, 40, 13, 13, 1, 1, 0, 1, kU8, kU8, kU8},
  };
  for (const ConvCase& c : cases) {
    EXPECT_GE(expect_all_agree(conv_trial(c), "QuantizedConv2d", 1), 2) << c.in << " " << c.out;
  }
}

TEST(QuantizedConv, Depthwise) {
  const ConvCase cases[] = {
      {1, 32, 32, 9, 9, 3, 1, 1, 32},
      {2, 24, 24, 8, 35, 3, 2, 1, 24, kS8, kS8},
      {1, 40, 40, 7, 7, 5, 1, 2, 40, kU8, kU8, kAbsent, "Relu"},
      {1, 16, 16, 6, 6, 3, 1, 0, 16, kU8, kF32, kU8},
  };
  for (const ConvCase& c : cases) {
    EXPECT_GE(expect_all_agree(conv_trial(c), "QuantizedConv2d", 1), 1) << c.in;
  }
}

TEST(QuantizedConv, SumsRoundingsAndSecondOutputs) {
  const ConvCase cases[] = {
      {1, 16, 32, 6, 6, 3, 1, 1, 1, kU8, kU8, kU8, "Relu"},
      {1, 16, 32, 6, 6, 3, 1, 1, 1, kU8, kS8, kS8},
      {1, 16, 32, 6, 6, 3, 1, 1, 1, kS8, kU8, kF32, "Relu", false, true},
      {1, 16, 32, 6, 6, 1, 1, 0, 1, kU8, kU8, kU8, "Clip", true, false},
      {1, 16, 24, 6, 6, 3, 1, 1, 1, kU8, kU8, kU8, "HardSwish", false, true},
      {1, 16, 24, 6, 6, 3, 1, 1, 1, kU8, kF32, kAbsent, "Silu"},
  };
  for (const ConvCase& c : cases) {
    EXPECT_GE(expect_all_agree(conv_trial(c), "QuantizedConv2d", c.rounded ? 2 : 1), 1)
        << c.activation;
  }
}

Trial matmul_trial(Dims a, Dims b, bool transpose_b, DType y, const char* activation) {
  Trial trial("edgewright", "QuantizedMatMul");
  const int64_t n = transpose_b ? b[0] : b[1];
  Dims out = a;
  out.back() = n;
  trial.attribute("x_zero", int64_t{120})
      .attribute("transpose_b", int64_t{transpose_b})
      .attribute("activation", std::string(activation))
      .attribute("y_type", static_cast<int64_t>(y))
      .attribute("y_scale", 0.5f)
      .attribute("y_zero", int64_t{y == kS8 ? -3 : 128});
  trial.bytes(kU8, std::move(a)).bytes(kS8, std::move(b), Layout::kPlain, true);
  trial.tensor(Tensor::of<float>({1}, {0.002f}), true).constant({n});
  trial.output(out, Layout::kPlain, y);
  return trial;
}

TEST(QuantizedMatMul, BothOrdersOfWeights) {
  EXPECT_EQ(expect_all_agree(matmul_trial({1, 65, 128}, {128, 48}, false, kU8, ""),
                             "QuantizedMatMul", 1) > 0,
            true);
  EXPECT_GE(expect_all_agree(matmul_trial({2, 3, 30}, {10, 30}, true, kF32, "Relu"),
                             "QuantizedMatMul", 1),
            1);
  EXPECT_GE(
      expect_all_agree(matmul_trial({33, 70}, {70, 100}, false, kS8, "Gelu"), "QuantizedMatMul", 1),
      1);
  EXPECT_GE(expect_all_agree(matmul_trial({1, 1}, {1, 1}, false, kU8, ""), "QuantizedMatMul", 1),
            1);
}

TEST(QuantizedAttention, BothSignsAndOddSizes) {
  struct Case {
    int64_t batch, rows, heads, size;
    DType type;
  };
  for (const Case& c : {Case{1, 65, 4, 32, kU8}, Case{2, 7, 2, 20, kS8}, Case{1, 70, 1, 70, kU8}}) {
    Trial trial("edgewright", "QuantizedAttention");
    trial.attribute("num_heads", c.heads).attribute("scale", 0.5f);
    const auto rounding = [&](const std::string& name, float scale, int64_t zero) {
      trial.attribute(name + "_scale", scale)
          .attribute(name + "_zero", zero)
          .attribute(name + "_type", static_cast<int64_t>(c.type));
    };
    const int64_t middle = c.type == kU8 ? 128 : 0;
    rounding("q", 1.0f / 64, middle + 5);
    rounding("k", 1.0f / 64, middle - 3);
    rounding("v", 1.0f / 64, middle + 9);
    rounding("weights", 1.0f / 100, middle - 128);
    rounding("y", 1.0f / 50, middle + 1);
    trial.input({c.batch, c.rows, 3 * c.heads * c.size});
    trial.output({c.batch, c.rows, c.heads * c.size}, Layout::kPlain, c.type);
    // A weight right between two integers moves a few results by a part of a unit each.
    EXPECT_GE(expect_all_agree(trial, "QuantizedAttention", 1), 1) << c.rows;
  }
}

Trial window_trial(std::string_view op, Dims x, Dims y, Layout layout, DType in, DType out) {
  Trial trial("edgewright", op);
  trial.attribute("x_scale", 0.5f)
      .attribute("x_zero", int64_t{in == kS8 ? -4 : 110})
      .attribute("y_type", static_cast<int64_t>(out))
      .attribute("y_scale", 0.4f)
      .attribute("y_zero", int64_t{out == kS8 ? 2 : 130});
  trial.bytes(in, std::move(x), layout).output(std::move(y), layout, out);
  return trial;
}

TEST(QuantizedAveragePool, WindowsBordersAndTypes) {
  struct Case {
    Dims x, y;
    int64_t kernel, stride, pad, counts_padding;
    DType in, out;
  };
  const Case cases[] = {
      {{1, 33, 8, 8}, {1, 33, 4, 4}, 2, 2, 0, 0, kU8, kU8},
      {{2, 16, 7, 9}, {2, 16, 7, 9}, 3, 1, 1, 0, kS8, kS8},
      {{1, 5, 7, 9}, {1, 5, 4, 5}, 3, 2, 1, 1, kU8, kS8},
      {{1, 64, 8, 8}, {1, 64, 1, 1}, 8, 1, 0, 0, kU8, kF32},
  };
  for (const Case& c : cases) {
    for (const Layout layout : {Layout::kNhwc, Layout::kPlain}) {
      Trial trial = window_trial("QuantizedAveragePool", c.x, c.y, layout, c.in, c.out);
      trial.attribute("kernel_shape", std::vector<int64_t>(2, c.kernel))
          .attribute("strides", std::vector<int64_t>(2, c.stride))
          .attribute("pads", std::vector<int64_t>(4, c.pad))
          .attribute("count_include_pad", c.counts_padding);
      EXPECT_EQ(expect_all_agree(trial, "QuantizedAveragePool", 1), 1) << c.kernel;
    }
  }
}

TEST(QuantizedResize, CoordinatesAndTypes) {
  for (const char* mode : {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"}) {
    for (const Dims& y : {Dims{2, 20, 12, 10}, Dims{2, 20, 3, 7}, Dims{2, 20, 6, 1}}) {
      for (const Layout layout : {Layout::kNhwc, Layout::kPlain}) {
        const bool last = y[3] == 1;
        Trial trial = window_trial("QuantizedResize", {2, 20, 6, 5}, y, layout, last ? kS8 : kU8,
                                   last ? kF32 : kU8);
        trial.attribute("coordinate_transformation_mode", std::string(mode)).attribute("sizes", y);
        EXPECT_EQ(expect_all_agree(trial, "QuantizedResize", 1), 1) << mode << dims_text(y);
      }
    }
  }
}

TEST(QuantizedConv, RefusesWhatItCannotRun) {
  Trial plain = conv_trial({1, 16, 16, 4, 4, 3, 1, 1, 1});
  EXPECT_TRUE(accepts(plain, "quantized_conv2d_s8_hwy"));
  EXPECT_FALSE(accepts(plain, "quantized_conv2d_pointwise_s8_hwy"));
  EXPECT_FALSE(accepts(plain, "quantized_conv2d_depthwise_s8_hwy"));
  plain.attribute("y_scale", 0.0f);
  EXPECT_FALSE(accepts(plain, "quantized_conv2d_s8_hwy"));
  EXPECT_FALSE(accepts(conv_trial({1, 16, 16, 4, 4, 3, 1, 1, 2}), "quantized_conv2d_s8_hwy"));
  const KernelImplementation* one = find_implementation("quantized_conv2d_s8_hwy");
  const Trial good = conv_trial({1, 16, 16, 4, 4, 3, 1, 1, 1});
  std::vector<std::byte> few(64);
  const auto made = one->create(good.request(), few);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
