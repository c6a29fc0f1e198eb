#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

Result<Tensor> pad(const Tensor& x, const char* mode, std::initializer_list<int64_t> widths) {
  return run_tensor("Pad", {x, Tensor::of<int64_t>({std::ssize(widths)}, widths)},
                    attributes_of({{"mode", mode}}));
}

TEST(Pad, EveryMode) {
  const Tensor x = Tensor::of<int32_t>({3}, {1, 2, 3});
  expect_tensor<int32_t>(pad(x, "constant", {1, 1}), {5}, {0, 1, 2, 3, 0});
  expect_tensor<int32_t>(pad(x, "edge", {1, 1}), {5}, {1, 1, 2, 3, 3});
  expect_tensor<int32_t>(pad(x, "reflect", {2, 1}), {6}, {3, 2, 1, 2, 3, 2});
  expect_tensor<int32_t>(pad(x, "wrap", {1, 2}), {6}, {3, 1, 2, 3, 1, 2});
  expect_error(pad(x, "mirror", {1, 1}), ErrorKind::kBadInput);
}

TEST(Pad, NegativeWidthsCrop) {
  const Tensor x = Tensor::of<int32_t>({3}, {1, 2, 3});
  expect_tensor<int32_t>(pad(x, "constant", {-1, 1}), {3}, {2, 3, 0});
  expect_tensor<int32_t>(pad(x, "constant", {-4, 4}), {3}, {0, 0, 0});
  expect_error(pad(x, "constant", {-2, -2}), ErrorKind::kBadInput);
  expect_error(pad(x, "constant", {INT64_MIN, 0}), ErrorKind::kBadInput);
  expect_error(pad(x, "constant", {INT64_MAX, INT64_MAX}), ErrorKind::kBadInput);
}

TEST(Pad, CenterCropPadKeepsTheMiddle) {
  const Tensor x = Tensor::of<int32_t>({4}, {1, 2, 3, 4});
  expect_tensor<int32_t>(run_tensor("CenterCropPad", {x, Tensor::of<int64_t>({1}, {2})}), {2},
                         {2, 3});
  expect_tensor<int32_t>(run_tensor("CenterCropPad", {x, Tensor::of<int64_t>({1}, {7})}), {7},
                         {0, 1, 2, 3, 4, 0, 0});
}

}  // namespace
}  // namespace edgewright
