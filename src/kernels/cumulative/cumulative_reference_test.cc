#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Cumulative, ExclusiveAndReverse) {
  const Tensor x = Tensor::of<int32_t>({3}, {1, 2, 3});
  const Tensor axis = Tensor::scalar<int64_t>(-1);
  expect_tensor<int32_t>(run_tensor("CumSum", {x, axis}), {3}, {1, 3, 6});
  const Attributes both = attributes_of({{"exclusive", int64_t{1}}, {"reverse", int64_t{1}}});
  expect_tensor<int32_t>(run_tensor("CumSum", {x, axis}, both), {3}, {5, 3, 0});
  expect_tensor<int32_t>(run_tensor("CumProd", {x, axis}, both), {3}, {6, 3, 1});
}

TEST(Cumulative, AxisMustExist) {
  const Tensor x = Tensor::of<int32_t>({3}, {1, 2, 3});
  expect_error(run_tensor("CumSum", {x, Tensor::scalar<int64_t>(1)}), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
