#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Scatter, DuplicatesAddUp) {
  const Tensor x = Tensor::of<float>({3}, {1, 2, 3});
  const Tensor places = Tensor::of<int64_t>({2}, {1, -2});
  const Tensor updates = Tensor::of<float>({2}, {10, 100});
  expect_tensor<float>(
      run_tensor("ScatterElements", {x, places, updates}, attributes_of({{"reduction", "add"}})),
      {3}, {1, 112, 3});
  expect_tensor<float>(run_tensor("ScatterElements", {x, places, updates}), {3}, {1, 100, 3});
}

TEST(Scatter, NdReplacesSlices) {
  const Tensor x = Tensor::of<int32_t>({2, 2}, {1, 2, 3, 4});
  const Tensor updates = Tensor::of<int32_t>({1, 2}, {8, 9});
  expect_tensor<int32_t>(run_tensor("ScatterND", {x, Tensor::of<int64_t>({1, 1}, {-1}), updates}),
                         {2, 2}, {1, 2, 8, 9});
  expect_error(run_tensor("ScatterND", {x, Tensor::of<int64_t>({1, 1}, {2}), updates}),
               ErrorKind::kBadInput);
  expect_error(run_tensor("ScatterND", {x, Tensor::of<int64_t>({2, 1}, {0, 1}), updates}),
               ErrorKind::kBadInput);
}

TEST(Scatter, TensorScatterWrapsWhenCircular) {
  const Tensor cache = Tensor::of<int32_t>({1, 3, 1}, {1, 2, 3});
  const Tensor update = Tensor::of<int32_t>({1, 2, 1}, {8, 9});
  const Tensor at = Tensor::of<int64_t>({1}, {2});
  expect_tensor<int32_t>(
      run_tensor("TensorScatter", {cache, update, at}, attributes_of({{"mode", "circular"}})),
      {1, 3, 1}, {9, 2, 8});
  expect_error(run_tensor("TensorScatter", {cache, update, at}), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
