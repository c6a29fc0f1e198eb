#include <limits>
#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Arithmetic, IntegersWrap) {
  const Tensor a = Tensor::of<int8_t>({2}, {127, -128});
  const Tensor b = Tensor::of<int8_t>({2}, {1, -1});
  expect_tensor<int8_t>(run_tensor("Add", {a, b}), {2}, {-128, 127});
  expect_tensor<int8_t>(run_tensor("Div", {a, b}), {2}, {127, -128});
}

TEST(Arithmetic, DivisionByIntegerZeroIsRefused) {
  const Tensor a = Tensor::scalar<int32_t>(1);
  const Tensor zero = Tensor::scalar<int32_t>(0);
  expect_error(run_tensor("Div", {a, zero}), ErrorKind::kBadInput);
  expect_error(run_tensor("Mod", {a, zero}), ErrorKind::kBadInput);
}

TEST(Arithmetic, ModTakesTheSignOfDivisorOrDividend) {
  const Tensor a = Tensor::of<int32_t>({2}, {-7, 7});
  const Tensor b = Tensor::of<int32_t>({2}, {3, -3});
  expect_tensor<int32_t>(run_tensor("Mod", {a, b}), {2}, {2, -2});
  expect_tensor<int32_t>(run_tensor("Mod", {a, b}, attributes_of({{"fmod", int64_t{1}}})), {2},
                         {-1, 1});
}

TEST(Arithmetic, PowOfIntegersIsExact) {
  const Tensor base = Tensor::of<int64_t>({3}, {3, 2, -1});
  const Tensor exponent = Tensor::of<int32_t>({3}, {39, 62, 3});
  expect_tensor<int64_t>(run_tensor("Pow", {base, exponent}), {3},
                         {4052555153018976267, int64_t{1} << 62, -1});
}

TEST(Arithmetic, ShiftsOutsideTheWidthLeaveTheSign) {
  const Tensor x = Tensor::of<int8_t>({3}, {-4, 4, -4});
  const Tensor by = Tensor::of<int8_t>({3}, {9, 9, 1});
  expect_tensor<int8_t>(run_tensor("BitShift", {x, by}, attributes_of({{"direction", "RIGHT"}})),
                        {3}, {-1, 0, -2});
  expect_tensor<int8_t>(run_tensor("BitShift", {x, by}, attributes_of({{"direction", "LEFT"}})),
                        {3}, {0, 0, -8});
}

TEST(Arithmetic, ShapesMustBroadcast) {
  const Tensor a = Tensor::of<float>({2}, {1, 2});
  const Tensor b = Tensor::of<float>({3}, {1, 2, 3});
  expect_error(run_tensor("Mul", {a, b}), ErrorKind::kBadInput);
  expect_error(run_tensor("Mul", {a, Tensor::scalar<double>(1)}), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
