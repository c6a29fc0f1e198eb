#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(MatMulReference, BatchesBroadcast) {
  const Tensor a = Tensor::of<float>({2, 1, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::of<float>({2, 2}, {1, 0, 0, 10});
  expect_tensor<float>(run_tensor("MatMul", {a, b}), {2, 1, 2}, {1, 20, 3, 40});
}

TEST(MatMulReference, VectorsLoseTheirAxis) {
  const Tensor a = Tensor::of<int32_t>({2}, {1, 2});
  const Tensor b = Tensor::of<int32_t>({2, 2}, {3, 4, 5, 6});
  expect_tensor<int32_t>(run_tensor("MatMul", {a, a}), {}, {5});
  expect_tensor<int32_t>(run_tensor("MatMul", {a, b}), {2}, {13, 16});
  expect_tensor<int32_t>(run_tensor("MatMul", {b, a}), {2}, {11, 17});
}

TEST(MatMulReference, InnerDimensionsMustAgree) {
  const Tensor a = Tensor::of<float>({1, 2}, {1, 2});
  expect_error(run_tensor("MatMul", {a, a}), ErrorKind::kBadInput);
  expect_error(run_tensor("MatMul", {a, Tensor::scalar(1.0f)}), ErrorKind::kBadInput);
  expect_error(run_tensor("Gemm", {a, a}), ErrorKind::kBadInput);
}

TEST(MatMulReference, GemmTransposesScalesAndAdds) {
  const Tensor a = Tensor::of<float>({2, 1}, {1, 2});
  const Tensor b = Tensor::of<float>({1, 2}, {3, 4});
  const Tensor c = Tensor::of<float>({1}, {10});
  const Attributes attributes = attributes_of(
      {{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 2.0f}, {"beta", 0.5f}});
  expect_tensor<float>(run_tensor("Gemm", {a, b, c}, attributes), {1, 1}, {27});
}

TEST(MatMulReference, IntegerProductTakesZeroPointsPerRow) {
  const Tensor a = Tensor::of<uint8_t>({2, 1}, {5, 7});
  const Tensor b = Tensor::of<int8_t>({1, 1}, {-2});
  const Tensor points = Tensor::of<uint8_t>({2}, {1, 2});
  expect_tensor<int32_t>(run_tensor("MatMulInteger", {a, b, points}), {2, 1}, {-8, -10});
}

TEST(MatMulReference, DeterminantPivots) {
  const Tensor x = Tensor::of<float>({2, 2}, {0, 1, 1, 0});
  expect_tensor<float>(run_tensor("Det", {x}), {}, {-1});
}

}  // namespace
}  // namespace edgewright
