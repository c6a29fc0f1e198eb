#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Softmax, LargeNumbersDoNotOverflow) {
  const Tensor x = Tensor::of<float>({1, 2}, {10000, 10000});
  expect_close(run_tensor("Softmax", {x}), {0.5f, 0.5f});
  expect_close(run_tensor("LogSoftmax", {x}), {-0.6931472f, -0.6931472f});
}

TEST(Softmax, AlongTheFirstAxis) {
  const Tensor x = Tensor::of<float>({2, 2}, {0, 1, 0, 3});
  const auto result = run_tensor("Hardmax", {x}, attributes_of({{"axis", int64_t{0}}}));
  expect_tensor<float>(result, {2, 2}, {1, 0, 0, 1});
  expect_error(run_tensor("Softmax", {x}, attributes_of({{"axis", int64_t{2}}})),
               ErrorKind::kBadInput);
}

TEST(Softmax, HugeShapeWithoutElementsEnds) {
  const Tensor x = *Tensor::allocate(DType::kFloat32, {int64_t{1} << 40, 0});
  EXPECT_TRUE(run_tensor("Softmax", {x}).ok());
}

}  // namespace
}  // namespace edgewright
