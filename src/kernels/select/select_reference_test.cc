#include <cmath>
#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Select, TopKKeepsTheOrderOfEqualElements) {
  const Tensor x = Tensor::of<int32_t>({4}, {1, 3, 3, 2});
  const auto result = run_kernel("TopK", {x, Tensor::of<int64_t>({1}, {3})}, {}, 2);
  ASSERT_TRUE(result.ok());
  expect_tensor<int32_t>((*result)[0].tensor(), {3}, {3, 3, 2});
  expect_tensor<int64_t>((*result)[1].tensor(), {3}, {1, 2, 3});
}

TEST(Select, TopKOfMoreThanThereAreIsRefused) {
  const Tensor x = Tensor::of<int32_t>({2}, {1, 3});
  expect_error(run_kernel("TopK", {x, Tensor::of<int64_t>({1}, {3})}, {}, 2), ErrorKind::kBadInput);
  expect_error(run_kernel("TopK", {x, Tensor::of<int64_t>({1}, {-1})}, {}, 2),
               ErrorKind::kBadInput);
}

TEST(Select, ArgMaxTakesTheFirstOrLastAndNanFirst) {
  const Tensor x = Tensor::of<float>({3}, {2, 2, 1});
  expect_tensor<int64_t>(run_tensor("ArgMax", {x}), {1}, {0});
  expect_tensor<int64_t>(
      run_tensor("ArgMax", {x}, attributes_of({{"select_last_index", int64_t{1}}})), {1}, {1});
  const Tensor nan = Tensor::of<float>({3}, {2, std::nanf(""), 9});
  expect_tensor<int64_t>(run_tensor("ArgMin", {nan}), {1}, {1});
}

TEST(Select, NonZeroOfStringsAndScalars) {
  expect_tensor<int64_t>(run_tensor("NonZero", {Tensor::strings({3}, {"", "a", "b"})}), {1, 2},
                         {1, 2});
  expect_tensor<int64_t>(run_tensor("NonZero", {Tensor::scalar(1.0f)}), {0, 1}, {});
}

TEST(Select, CompressChecksTheCondition) {
  const Tensor x = Tensor::of<int32_t>({2, 2}, {1, 2, 3, 4});
  const Attributes axis = attributes_of({{"axis", int64_t{1}}});
  const Tensor second = Tensor::of<bool>({2}, {false, true});
  expect_tensor<int32_t>(run_tensor("Compress", {x, second}, axis), {2, 1}, {2, 4});
  const Tensor third = Tensor::of<bool>({3}, {false, false, true});
  expect_error(run_tensor("Compress", {x, third}, axis), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
