#include <limits>
#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Generate, RangeCountsDownAndBeyondDouble) {
  const auto down = run_tensor("Range", {Tensor::scalar<int64_t>(5), Tensor::scalar<int64_t>(0),
                                         Tensor::scalar<int64_t>(-2)});
  expect_tensor<int64_t>(down, {3}, {5, 3, 1});
  const int64_t top = std::numeric_limits<int64_t>::max();
  const auto high = run_tensor(
      "Range", {Tensor::scalar(top - 2), Tensor::scalar(top), Tensor::scalar<int64_t>(1)});
  expect_tensor<int64_t>(high, {2}, {top - 2, top - 1});
}

TEST(Generate, EndlessRangesAreRefused) {
  const Tensor zero = Tensor::scalar(0.0f);
  const Tensor one = Tensor::scalar(1.0f);
  expect_error(run_tensor("Range", {zero, one, zero}), ErrorKind::kBadInput);
  const Tensor far = Tensor::scalar(std::numeric_limits<float>::infinity());
  expect_error(run_tensor("Range", {zero, far, one}), ErrorKind::kBadInput);
}

TEST(Generate, OneHotIgnoresIndicesOutside) {
  const Tensor indices = Tensor::of<int64_t>({3}, {-1, 2, 0});
  const Tensor values = Tensor::of<int8_t>({2}, {0, 9});
  expect_tensor<int8_t>(run_tensor("OneHot", {indices, Tensor::scalar<int64_t>(2), values}), {3, 2},
                        {0, 9, 0, 0, 9, 0});
}

TEST(Generate, TriluClampsTheDiagonal) {
  const Tensor x = Tensor::of<int32_t>({2, 2}, {1, 2, 3, 4});
  const Tensor far = Tensor::scalar(std::numeric_limits<int64_t>::min());
  expect_tensor<int32_t>(run_tensor("Trilu", {x, far}), {2, 2}, {1, 2, 3, 4});
  const Attributes lower = attributes_of({{"upper", int64_t{0}}});
  expect_tensor<int32_t>(run_tensor("Trilu", {x, Tensor::scalar<int64_t>(0)}, lower), {2, 2},
                         {1, 0, 3, 4});
}

TEST(Generate, NegativeShapeIsRefused) {
  expect_error(run_tensor("ConstantOfShape", {Tensor::of<int64_t>({1}, {-1})}),
               ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
