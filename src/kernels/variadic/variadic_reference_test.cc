#include <cmath>
#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Variadic, MaxOfThreeBroadcasts) {
  const Tensor a = Tensor::of<float>({2, 1}, {1, 5});
  const Tensor b = Tensor::of<float>({2}, {2, 3});
  expect_tensor<float>(run_tensor("Max", {a, b, Tensor::scalar(2.5f)}), {2, 2}, {2.5, 3, 5, 5});
}

TEST(Variadic, NanWinsOnEitherSide) {
  const float nan = std::nanf("");
  const Tensor a = Tensor::of<float>({2}, {nan, 1});
  const Tensor b = Tensor::of<float>({2}, {1, nan});
  const auto result = run_tensor("Min", {a, b});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(std::isnan(result->data<float>()[0]) && std::isnan(result->data<float>()[1]));
}

TEST(Variadic, MeanDividesByTheNumberOfOperands) {
  const Tensor a = Tensor::of<float>({2}, {1, 2});
  const Tensor b = Tensor::of<float>({2}, {3, 6});
  expect_tensor<float>(run_tensor("Mean", {a, b}), {2}, {2, 4});
  expect_error(run_tensor("Mean", {}), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
