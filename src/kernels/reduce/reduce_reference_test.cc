#include <cmath>
#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Reduce, SumOverTheMiddleAxis) {
  const Tensor x = Tensor::of<int32_t>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor axes = Tensor::of<int64_t>({1}, {-2});
  expect_tensor<int32_t>(run_tensor("ReduceSum", {x, axes}), {2, 1, 2}, {4, 6, 12, 14});
  expect_tensor<int32_t>(
      run_tensor("ReduceSum", {x, axes}, attributes_of({{"keepdims", int64_t{0}}})), {2, 2},
      {4, 6, 12, 14});
}

TEST(Reduce, NothingGivesTheNeutralElement) {
  const Tensor x = *Tensor::allocate(DType::kFloat32, {2, 0});
  const Tensor axes = Tensor::of<int64_t>({1}, {1});
  expect_tensor<float>(run_tensor("ReduceSum", {x, axes}), {2, 1}, {0, 0});
  expect_tensor<float>(run_tensor("ReduceProd", {x, axes}), {2, 1}, {1, 1});
  expect_tensor<float>(run_tensor("ReduceMin", {x, axes}), {2, 1}, {HUGE_VALF, HUGE_VALF});
  expect_tensor<float>(run_tensor("ReduceLogSumExp", {x, axes}), {2, 1}, {-HUGE_VALF, -HUGE_VALF});
}

TEST(Reduce, NoAxesMayMeanNone) {
  const Tensor x = Tensor::of<float>({2}, {-3, 4});
  const Attributes noop = attributes_of({{"noop_with_empty_axes", int64_t{1}}});
  expect_tensor<float>(run_tensor("ReduceL1", {x}, noop), {2}, {3, 4});
  expect_tensor<float>(run_tensor("ReduceL2", {x}), {1}, {5});
}

TEST(Reduce, LogSumExpDoesNotOverflow) {
  const Tensor x = Tensor::of<float>({2}, {1000, 1000});
  expect_close(run_tensor("ReduceLogSumExp", {x}), {1000.6931472f});
}

TEST(Reduce, AxesMustExistOnce) {
  const Tensor x = Tensor::of<float>({2}, {1, 2});
  expect_error(run_tensor("ReduceSum", {x, Tensor::of<int64_t>({1}, {1})}), ErrorKind::kBadInput);
  expect_error(run_tensor("ReduceSum", {x, Tensor::of<int64_t>({2}, {0, -1})}),
               ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
