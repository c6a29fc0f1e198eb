#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(ShapeOps, ReshapeFillsZeroAndMinusOne) {
  const Tensor x = Tensor::of<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto reshape = [&](std::initializer_list<int64_t> dims) {
    return run_tensor("Reshape", {x, Tensor::of<int64_t>({std::ssize(dims)}, dims)});
  };
  expect_tensor<int32_t>(reshape({0, -1, 1}), {2, 3, 1}, {1, 2, 3, 4, 5, 6});
  expect_error(reshape({-1, -1}), ErrorKind::kBadInput);
  expect_error(reshape({4, -1}), ErrorKind::kBadInput);
  expect_error(reshape({2, 3, 0}), ErrorKind::kBadInput);
  expect_error(reshape({int64_t{1} << 62, int64_t{1} << 62, -1}), ErrorKind::kBadInput);
  expect_error(reshape({-2, -3}), ErrorKind::kBadInput);
}

TEST(ShapeOps, ShapeTakesARange) {
  const Tensor x = *Tensor::allocate(DType::kInt8, {2, 3, 4});
  const Attributes range = attributes_of({{"start", int64_t{-2}}, {"end", int64_t{9}}});
  expect_tensor<int64_t>(run_tensor("Shape", {x}, range), {2}, {3, 4});
}

TEST(ShapeOps, SqueezeAndUnsqueeze) {
  const Tensor x = Tensor::of<int32_t>({1, 2, 1}, {5, 6});
  expect_tensor<int32_t>(run_tensor("Squeeze", {x}), {2}, {5, 6});
  expect_error(run_tensor("Squeeze", {x, Tensor::of<int64_t>({1}, {1})}), ErrorKind::kBadInput);
  expect_tensor<int32_t>(run_tensor("Unsqueeze", {x, Tensor::of<int64_t>({2}, {-1, 0})}),
                         {1, 1, 2, 1, 1}, {5, 6});
}

}  // namespace
}  // namespace edgewright
