#include <algorithm>

#include "kernels/trial_check.h"

namespace edgewright {
namespace {

TEST(Reduce, AgreesWithTheDefinition) {
  struct Case {
    const char* op;
    const char* implementation;
    std::vector<int64_t> axes;
    Dims out;
    int64_t count, inner;
  };
  const Case cases[] = {
      {"ReduceMean", "reduce_mean_f32_hwy", {-1}, {3, 5, 1}, 37, 1},
      {"ReduceSum", "reduce_sum_f32_hwy", {1}, {3, 1, 37}, 5, 37},
      {"ReduceMax", "reduce_max_f32_hwy", {0, 1}, {1, 1, 37}, 15, 37},
      {"ReduceMean", "reduce_mean_f32_hwy", {}, {1, 1, 1}, 3 * 5 * 37, 1},
  };
  for (const Case& c : cases) {
    Trial trial("", c.op);
    trial.input({3, 5, 37});
    trial.tensor(Tensor::of<int64_t>({static_cast<int64_t>(c.axes.size())}, c.axes), true);
    trial.output(c.out);
    auto expected = Tensor::allocate(DType::kFloat32, c.out);
    ASSERT_TRUE(expected.ok());
    for (int64_t i = 0; i < expected->element_count(); ++i) {
      double sum = 0, largest = -2;
      for (int64_t k = 0; k < c.count; ++k) {
        const int64_t at = (i / c.inner * c.count + k) * c.inner + i % c.inner;
        const double value = static_cast<double>(trial.value(0).data<float>()[at]);
        sum += value;
        largest = std::max(largest, value);
      }
      const std::string_view op = c.op;
      if (op == "ReduceMean") sum /= static_cast<double>(c.count);
      expected->mutable_data<float>()[i] = static_cast<float>(op == "ReduceMax" ? largest : sum);
    }
    expect_agrees(trial, c.implementation, *expected, kReduceTolerance);
  }
}

TEST(Reduce, RefusesAxesThatAreApart) {
  Trial trial("", "ReduceSum");
  trial.input({3, 5, 7}).tensor(Tensor::of<int64_t>({2}, {0, 2}), true).output({1, 5, 1});
  EXPECT_FALSE(accepts(trial, "reduce_sum_f32_hwy"));
}

}  // namespace
}  // namespace edgewright
