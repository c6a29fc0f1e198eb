#include <cmath>
#include <limits>
#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Unary, RoundTakesTiesToEven) {
  const Tensor x = Tensor::of<float>({4}, {0.5f, 1.5f, 2.5f, -2.5f});
  expect_tensor<float>(run_tensor("Round", {x}), {4}, {0, 2, 2, -2});
}

TEST(Unary, SixteenBitFloatsAreComputedAsFloat) {
  const Tensor x = Tensor::of<Half>({1}, {Half(2.0f)});
  const auto result = run_tensor("Sqrt", {x});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->data<Half>()[0].bits, Half(std::sqrt(2.0f)).bits);
}

TEST(Unary, SigmoidDoesNotOverflow) {
  const Tensor x = Tensor::of<float>({2}, {-1000, 1000});
  expect_close(run_tensor("Sigmoid", {x}), {0, 1});
}

TEST(Unary, AbsOfTheLowestIntegerStays) {
  const Tensor x = Tensor::scalar(std::numeric_limits<int32_t>::min());
  expect_tensor<int32_t>(run_tensor("Abs", {x}), {}, {std::numeric_limits<int32_t>::min()});
}

TEST(Unary, IsInfAsksForASign) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::of<float>({2}, {infinity, -infinity});
  const auto result = run_tensor("IsInf", {x}, attributes_of({{"detect_negative", int64_t{0}}}));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->data<uint8_t>()[0], 1);
  EXPECT_EQ(result->data<uint8_t>()[1], 0);
}

TEST(Unary, StringsHaveNoSine) {
  expect_error(run_tensor("Sin", {Tensor::strings({1}, {"a"})}), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace edgewright
