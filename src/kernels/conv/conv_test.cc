#include <cmath>

#include "kernels/conv/conv_shape.h"
#include "kernels/trial_check.h"

namespace edgewright {
namespace {

struct Case {
  int64_t batch, in, out, height, width, kernel_y, kernel_x, stride, dilation, group;
  std::vector<int64_t> pads;
  const char* activation = "";
  bool residual = false;
  int64_t residual_first = 1;
  Layout layout = Layout::kNchw16c;
};

int64_t extent(int64_t size, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation) {
  return (size + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

Trial make_trial(const Case& c) {
  const int64_t oh = extent(c.height, c.pads[0] + c.pads[2], c.kernel_y, c.stride, c.dilation);
  const int64_t ow = extent(c.width, c.pads[1] + c.pads[3], c.kernel_x, c.stride, c.dilation);
  Trial trial("edgewright", "Conv2d");
  trial.attribute("strides", std::vector<int64_t>{c.stride, c.stride})
      .attribute("dilations", std::vector<int64_t>{c.dilation, c.dilation})
      .attribute("pads", c.pads)
      .attribute("group", c.group)
      .attribute("activation", std::string(c.activation))
      .attribute("residual_before_activation", c.residual_first);
  trial.input({c.batch, c.in, c.height, c.width}, c.layout)
      .constant({c.out, c.in / c.group, c.kernel_y, c.kernel_x})
      .constant({c.out});
  if (c.residual) trial.input({c.batch, c.out, oh, ow}, Layout::kNchw16c);
  trial.output({c.batch, c.out, oh, ow}, Layout::kNchw16c);
  return trial;
}

double activate(const Case& c, double x) {
  const std::string_view name = c.activation;
  if (name == "Relu") return std::max(x, 0.0);
  if (name == "Silu") return x / (1 + std::exp(-x));
  if (name == "HardSwish") return x * std::min(1.0, std::max(0.0, x / 6 + 0.5));
  return x;
}

// The definition, in double.
double sum_at(const Trial& trial, const Case& c, int64_t n, int64_t oc, int64_t oy, int64_t ox) {
  const float* const x = trial.value(0).data<float>();
  const float* const w = trial.value(1).data<float>();
  const int64_t per_group = c.in / c.group;
  const int64_t first = oc / (c.out / c.group) * per_group;
  double sum = static_cast<double>(trial.value(2).data<float>()[oc]);
  for (int64_t ic = 0; ic < per_group; ++ic) {
    for (int64_t ky = 0; ky < c.kernel_y; ++ky) {
      for (int64_t kx = 0; kx < c.kernel_x; ++kx) {
        const int64_t iy = oy * c.stride + ky * c.dilation - c.pads[0];
        const int64_t ix = ox * c.stride + kx * c.dilation - c.pads[1];
        if (iy < 0 || ix < 0 || iy >= c.height || ix >= c.width) continue;
        sum += static_cast<double>(x[((n * c.in + first + ic) * c.height + iy) * c.width + ix]) *
               w[((oc * per_group + ic) * c.kernel_y + ky) * c.kernel_x + kx];
      }
    }
  }
  return sum;
}

Tensor expected_output(const Trial& trial, const Case& c) {
  auto y = Tensor::allocate(DType::kFloat32, trial.request().outputs[0].dims);
  EDGEWRIGHT_CHECK(y.ok());
  float* out = y->mutable_data<float>();
  const float* residual = c.residual ? trial.value(3).data<float>() : nullptr;
  for (int64_t n = 0; n < y->dim(0); ++n) {
    for (int64_t oc = 0; oc < y->dim(1); ++oc) {
      for (int64_t oy = 0; oy < y->dim(2); ++oy) {
        for (int64_t ox = 0; ox < y->dim(3); ++ox) {
          double value = sum_at(trial, c, n, oc, oy, ox);
          const double r = residual ? static_cast<double>(*residual++) : 0;
          value = c.residual_first != 0 ? activate(c, value + r) : activate(c, value) + r;
          *out++ = static_cast<float>(value);
        }
      }
    }
  }
  return *std::move(y);
}

void check(const Case& c, std::string_view implementation, const KernelTolerance& tolerance) {
  const Trial trial = make_trial(c);
  expect_agrees(trial, implementation, expected_output(trial, c), tolerance);
}

TEST(ConvDirect, AgreesWithTheDefinition) {
  const Case cases[] = {
      {1, 16, 16, 5, 7, 3, 3, 1, 1, 1, {1, 1, 1, 1}},
      {2, 32, 48, 9, 33, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "Relu", true},
      {1, 8, 12, 8, 8, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "Relu"},
      {1, 24, 40, 8, 8, 3, 3, 2, 1, 1, {0, 0, 1, 1}, "Silu", true, 0},
      {1, 16, 80, 11, 10, 1, 1, 1, 1, 1, {0, 0, 0, 0}, "HardSwish"},
      {2, 20, 16, 11, 10, 1, 1, 2, 1, 1, {0, 0, 0, 0}},
      {1, 16, 112, 12, 9, 3, 3, 1, 2, 1, {2, 2, 2, 2}, "Relu", true, 0},
      {1, 3, 32, 13, 12, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "Relu", false, 1, Layout::kPlain},
      {2, 3, 16, 17, 19, 7, 5, 2, 1, 1, {3, 2, 3, 2}, "", false, 1, Layout::kPlain},
      {1, 1, 16, 9, 9, 3, 3, 1, 2, 1, {0, 1, 0, 1}, "", false, 1, Layout::kPlain},
  };
  for (const Case& c : cases) check(c, "conv2d_direct_f32_hwy", kConvTolerance);
}

TEST(ConvWinograd, AgreesWithTheDefinition) {
  const Case cases[] = {
      {1, 16, 16, 5, 7, 3, 3, 1, 1, 1, {1, 1, 1, 1}},
      {2, 32, 48, 9, 33, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "Relu", true},
      {1, 64, 32, 16, 16, 3, 3, 1, 1, 1, {0, 0, 0, 0}, "Relu", true, 0},
      {3, 24, 40, 8, 8, 3, 3, 1, 1, 1, {0, 2, 1, 0}, "Silu", true, 0},
      {1, 16, 16, 41, 67, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "HardSwish", true},
      {1, 16, 16, 1, 1, 3, 3, 1, 1, 1, {1, 1, 1, 1}},
  };
  for (const Case& c : cases) {
    check(c, "conv2d_winograd4_f32_hwy", kWinogradTolerance);
    check(c, "conv2d_winograd2_f32_hwy", kWinogradTolerance);
  }
}

TEST(ConvDepthwise, AgreesWithTheDefinition) {
  const Case cases[] = {
      {1, 16, 16, 5, 7, 3, 3, 1, 1, 16, {1, 1, 1, 1}},
      {2, 40, 40, 9, 33, 3, 3, 2, 1, 40, {1, 1, 1, 1}, "Relu", true},
      {1, 32, 32, 8, 19, 5, 3, 1, 2, 32, {2, 1, 2, 1}, "Silu", true, 0},
      {1, 16, 16, 20, 20, 3, 3, 3, 1, 16, {0, 0, 1, 1}, "HardSwish"},
      {1, 16, 16, 2, 2, 5, 5, 1, 1, 16, {2, 2, 2, 2}},
      {1, 16, 16, 67, 17, 3, 3, 1, 1, 16, {1, 0, 1, 1}, "Relu", true},
      {1, 16, 16, 6, 61, 3, 3, 1, 1, 16, {1, 1, 1, 1}},
      {1, 16, 16, 3, 9, 5, 3, 1, 1, 16, {4, 1, 4, 1}},
  };
  for (const Case& c : cases) check(c, "conv2d_depthwise_f32_hwy", kConvTolerance);
}

#ifdef EDGEWRIGHT_HAVE_ONEDNN
TEST(ConvOneDnn, AgreesWithTheDefinition) {
  const Case cases[] = {
      {2, 32, 48, 9, 33, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "Relu", true},
      {1, 16, 32, 8, 8, 3, 3, 2, 1, 1, {0, 0, 1, 1}, "Relu", true, 0},
      {1, 16, 80, 11, 10, 1, 1, 1, 1, 1, {0, 0, 0, 0}, "", true},
      {1, 32, 32, 9, 33, 3, 3, 2, 1, 32, {1, 1, 1, 1}, "Relu"},
      {1, 3, 32, 13, 12, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "Relu", false, 1, Layout::kPlain},
  };
  const KernelImplementation* implementation = find_implementation("conv2d_f32_onednn");
  ASSERT_NE(implementation, nullptr);
  for (const Case& c : cases) {
    const Trial trial = make_trial(c);
    auto run = trial.prepare(*implementation);
    // What oneDNN offers depends on the CPU.
    if (!run.ok() && run.error().kind == ErrorKind::kUnsupported) continue;
    ASSERT_TRUE(run.ok()) << run.error().message;
    ThreadPool pool(1);
    (*run)(pool);
    EXPECT_EQ(difference(run->output(), expected_output(trial, c), kConvTolerance), "");
  }
}

TEST(ConvOneDnn, ProductsOfBfloat16OnlyWhereAskedFor) {
  const Case c = {1, 32, 48, 9, 33, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "Relu", true};
  const KernelImplementation* implementation = find_implementation("conv2d_bf16_onednn");
  ASSERT_NE(implementation, nullptr);
  EXPECT_FALSE(implementation->supports(make_trial(c).request()));
  Trial trial = make_trial(c);
  trial.attribute("products", std::string("bfloat16"));
  if (!implementation->supports(trial.request())) GTEST_SKIP() << "not on this processor";
  auto run = trial.prepare(*implementation);
  ASSERT_TRUE(run.ok()) << run.error().message;
  ThreadPool pool(1);
  (*run)(pool);
  EXPECT_EQ(difference(run->output(), expected_output(trial, c), kBfloat16Tolerance), "");
}
#endif

TEST(ConvBfloat16, AgreesWithTheDefinition) {
  const Case cases[] = {
      {2, 32, 48, 9, 33, 3, 3, 1, 1, 1, {1, 1, 1, 1}, "Relu", true},
      {1, 16, 16, 32, 32, 3, 3, 1, 1, 1, {1, 1, 1, 1}},
      {1, 24, 40, 8, 8, 3, 3, 2, 1, 1, {0, 0, 1, 1}, "Silu", true, 0},
      {1, 16, 80, 11, 10, 1, 1, 1, 1, 1, {0, 0, 0, 0}, "HardSwish"},
      {2, 20, 16, 11, 10, 1, 1, 2, 1, 1, {0, 0, 0, 0}},
      {1, 16, 112, 12, 9, 3, 3, 1, 2, 1, {2, 2, 2, 2}, "Relu", true, 0},
  };
  for (const Case& c : cases) {
    EXPECT_FALSE(accepts(make_trial(c), "conv2d_bf16_amx"));
    Trial trial = make_trial(c);
    trial.attribute("products", std::string("bfloat16"));
    if (!accepts(trial, "conv2d_bf16_amx")) GTEST_SKIP() << "not on this processor";
    expect_agrees(trial, "conv2d_bf16_amx", expected_output(trial, c), kBfloat16Tolerance);
  }
}

TEST(ConvDirect, RefusesWhatWouldFillPaddingChannels) {
  const Case whole = {1, 16, 32, 5, 5, 1, 1, 1, 1, 1, {0, 0, 0, 0}, "Sigmoid"};
  const Case part = {1, 16, 24, 5, 5, 1, 1, 1, 1, 1, {0, 0, 0, 0}, "Sigmoid"};
  EXPECT_TRUE(accepts(make_trial(whole), "conv2d_direct_f32_hwy"));
  EXPECT_FALSE(accepts(make_trial(part), "conv2d_direct_f32_hwy"));
}

TEST(ConvShape, RefusesHostileAttributes) {
  Case c = {1, 16, 16, 5, 5, 3, 3, 1, 1, 1, {1, 1, 1, 1}};
  EXPECT_TRUE(parse_conv(make_trial(c).request()).ok());
  Trial stride = make_trial(c);
  stride.attribute("strides", std::vector<int64_t>{0, 1});
  EXPECT_FALSE(parse_conv(stride.request()).ok());
  Trial pads = make_trial(c);
  pads.attribute("pads", std::vector<int64_t>{-1, 1, 1, 1});
  EXPECT_FALSE(parse_conv(pads.request()).ok());
  Trial larger = make_trial(c);
  larger.attribute("pads", std::vector<int64_t>{0, 0, 0, 0});
  EXPECT_FALSE(parse_conv(larger.request()).ok());
}

}  // namespace
}  // namespace edgewright
