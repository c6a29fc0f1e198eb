#include <cmath>

#include "kernels/trial_check.h"

namespace edgewright {
namespace {

Tensor expected_output(const Trial& trial, int64_t axis, bool log) {
  const Tensor& x = trial.value(0);
  auto y = Tensor::allocate(DType::kFloat32, x.dims());
  EDGEWRIGHT_CHECK(y.ok());
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < x.rank(); ++i) inner *= x.dim(i);
  const int64_t count = x.dim(static_cast<size_t>(axis));
  for (int64_t i = 0; i < x.element_count(); ++i) {
    const int64_t start = i / (inner * count) * inner * count + i % inner;
    const auto at = [&](int64_t k) {
      return static_cast<double>(x.data<float>()[start + k * inner]);
    };
    double maximum = at(0), sum = 0;
    for (int64_t k = 1; k < count; ++k) maximum = std::max(maximum, at(k));
    for (int64_t k = 0; k < count; ++k) sum += std::exp(at(k) - maximum);
    // Without the maximum a single value's logarithm would be a rounding error instead of 0.
    const double value = static_cast<double>(x.data<float>()[i]) - maximum;
    y->mutable_data<float>()[i] =
        static_cast<float>(log ? value - std::log(sum) : std::exp(value) / sum);
  }
  return *std::move(y);
}

TEST(Softmax, AgreesWithTheDefinition) {
  for (const int64_t axis : {int64_t{0}, int64_t{1}, int64_t{2}}) {
    Trial trial("", "Softmax");
    trial.attribute("axis", axis).input({3, 7, 65}).output({3, 7, 65});
    expect_agrees(trial, "softmax_f32_hwy", expected_output(trial, axis, false), kSoftmaxTolerance);
    Trial logarithm("", "LogSoftmax");
    logarithm.attribute("axis", axis).input({3, 7, 65}).output({3, 7, 65});
    expect_agrees(logarithm, "log_softmax_f32_hwy", expected_output(logarithm, axis, true),
                  kSoftmaxTolerance);
  }
}

TEST(Softmax, NarrowRowsAgreeWithTheDefinition) {
  // Row counts that do not fill a vector, and more rows than one task takes.
  for (const int64_t rows : {1, 2, 15, 17, 4420}) {
    for (const int64_t count : {1, 2, 5, 8}) {
      Trial trial("", "Softmax");
      trial.attribute("axis", int64_t{1}).input({rows, count}).output({rows, count});
      expect_agrees(trial, "softmax_f32_hwy", expected_output(trial, 1, false), kSoftmaxTolerance);
      Trial logarithm("", "LogSoftmax");
      logarithm.attribute("axis", int64_t{1}).input({rows, count}).output({rows, count});
      expect_agrees(logarithm, "log_softmax_f32_hwy", expected_output(logarithm, 1, true),
                    kSoftmaxTolerance);
    }
  }
}

TEST(Softmax, MaskedValuesVanish) {
  Trial trial("", "Softmax");
  trial.tensor(Tensor::of<float>({1, 3}, {0.0f, -INFINITY, 0.0f}), false).output({1, 3});
  expect_agrees(trial, "softmax_f32_hwy", Tensor::of<float>({1, 3}, {0.5f, 0.0f, 0.5f}), kExact);
}

}  // namespace
}  // namespace edgewright
