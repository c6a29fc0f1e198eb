#include <algorithm>
#include <limits>

#include "kernels/trial_check.h"

namespace edgewright {
namespace {

struct Case {
  const char* op;
  const char* implementation;
  int64_t kernel, stride, pad;
  int64_t count_padding;
};

// 11 x 13 inputs of 20 channels, windows cut at the end as ceil_mode has them.
Tensor expected_output(const Trial& trial, const Case& c, const Dims& dims) {
  auto y = Tensor::allocate(DType::kFloat32, dims);
  EDGEWRIGHT_CHECK(y.ok());
  const float* const x = trial.value(0).data<float>();
  for (int64_t i = 0; i < y->element_count(); ++i) {
    const int64_t ox = i % dims[3], oy = i / dims[3] % dims[2], plane = i / dims[3] / dims[2];
    float largest = -std::numeric_limits<float>::infinity();
    double sum = 0;
    int64_t count = 0;
    for (int64_t iy = oy * c.stride - c.pad; iy < oy * c.stride - c.pad + c.kernel; ++iy) {
      for (int64_t ix = ox * c.stride - c.pad; ix < ox * c.stride - c.pad + c.kernel; ++ix) {
        const bool inside = iy >= 0 && ix >= 0 && iy < 11 && ix < 13;
        if (inside || (c.count_padding != 0 && iy < 11 + c.pad && ix < 13 + c.pad)) ++count;
        if (!inside) continue;
        largest = std::max(largest, x[(plane * 11 + iy) * 13 + ix]);
        sum += static_cast<double>(x[(plane * 11 + iy) * 13 + ix]);
      }
    }
    const bool maximum = std::string_view(c.op) == "MaxPool";
    y->mutable_data<float>()[i] =
        maximum ? largest : static_cast<float>(sum / static_cast<double>(count));
  }
  return *std::move(y);
}

TEST(Pool, AgreesWithTheDefinitionInBothLayouts) {
  const Case cases[] = {
      {"MaxPool", "max_pool_f32_hwy", 3, 2, 1, 0},
      {"MaxPool", "max_pool_f32_hwy", 2, 2, 0, 0},
      {"AveragePool", "average_pool_f32_hwy", 3, 2, 1, 0},
      {"AveragePool", "average_pool_f32_hwy", 3, 1, 1, 1},
  };
  for (const Case& c : cases) {
    for (const Layout layout : {Layout::kPlain, Layout::kNchw16c}) {
      const auto extent = [&](int64_t size) {
        return (size + 2 * c.pad - c.kernel + c.stride - 1) / c.stride + 1;
      };
      const Dims dims = {2, 20, extent(11), extent(13)};
      Trial trial("", c.op);
      trial.attribute("kernel_shape", std::vector<int64_t>{c.kernel, c.kernel})
          .attribute("strides", std::vector<int64_t>{c.stride, c.stride})
          .attribute("pads", std::vector<int64_t>{c.pad, c.pad, c.pad, c.pad})
          .attribute("count_include_pad", c.count_padding)
          .input({2, 20, 11, 13}, layout)
          .output(dims, layout);
      expect_agrees(trial, c.implementation, expected_output(trial, c, dims), kPoolTolerance);
    }
  }
}

template <class T>
void expect_largest_bytes(DType dtype, Layout layout, int64_t channels) {
  Trial trial("", "MaxPool");
  trial.attribute("kernel_shape", std::vector<int64_t>{3, 3})
      .attribute("strides", std::vector<int64_t>{2, 2})
      .attribute("pads", std::vector<int64_t>{1, 1, 1, 1})
      .bytes(dtype, {2, channels, 7, 9}, layout)
      .output({2, channels, 4, 5}, layout, dtype);
  auto expected = Tensor::allocate(dtype, {2, channels, 4, 5});
  ASSERT_TRUE(expected.ok());
  for (int64_t i = 0; i < expected->element_count(); ++i) {
    const int64_t ox = i % 5, oy = i / 5 % 4, plane = i / 20;
    T largest = std::numeric_limits<T>::lowest();
    for (int64_t y = std::max<int64_t>(2 * oy - 1, 0); y < std::min<int64_t>(2 * oy + 2, 7); ++y) {
      for (int64_t x = std::max<int64_t>(2 * ox - 1, 0); x < std::min<int64_t>(2 * ox + 2, 9); ++x)
        largest = std::max(largest, trial.value(0).data<T>()[(plane * 7 + y) * 9 + x]);
    }
    expected->mutable_data<T>()[i] = largest;
  }
  expect_same_bytes(trial, "max_pool_bytes_hwy", *expected);
}

TEST(Pool, LargestBytesInBothLayouts) {
  for (const Layout layout : {Layout::kPlain, Layout::kNhwc}) {
    for (const int64_t channels : {5, 70}) {
      expect_largest_bytes<uint8_t>(DType::kUint8, layout, channels);
      expect_largest_bytes<int8_t>(DType::kInt8, layout, channels);
    }
  }
}

TEST(Pool, GlobalAverageIsTheMean) {
  for (const Layout layout : {Layout::kPlain, Layout::kNchw16c}) {
    Trial trial("", "GlobalAveragePool");
    trial.input({1, 20, 9, 37}, layout).output({1, 20, 1, 1}, layout);
    auto expected = Tensor::allocate(DType::kFloat32, {1, 20, 1, 1});
    ASSERT_TRUE(expected.ok());
    for (int64_t c = 0; c < 20; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < 9 * 37; ++i) {
        sum += static_cast<double>(trial.value(0).data<float>()[c * 9 * 37 + i]);
      }
      expected->mutable_data<float>()[c] = static_cast<float>(sum / (9 * 37));
    }
    expect_agrees(trial, "global_average_pool_f32_hwy", *expected, {"mean", 1e-5, 1e-6});
  }
}

}  // namespace
}  // namespace edgewright
