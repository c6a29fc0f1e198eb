#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Unique, UnsortedKeepsFirstOccurrence) {
  const Tensor x = Tensor::of<int32_t>({4}, {2, 1, 2, 3});
  const auto result = run_kernel("Unique", {x}, attributes_of({{"sorted", int64_t{0}}}), 4);
  ASSERT_TRUE(result.ok());
  expect_tensor<int32_t>((*result)[0].tensor(), {3}, {2, 1, 3});
  expect_tensor<int64_t>((*result)[1].tensor(), {3}, {0, 1, 3});
  expect_tensor<int64_t>((*result)[2].tensor(), {4}, {0, 1, 0, 2});
  expect_tensor<int64_t>((*result)[3].tensor(), {3}, {2, 1, 1});
}

TEST(Unique, SlicesAlongAnAxis) {
  const Tensor x = Tensor::of<int32_t>({2, 3}, {3, 1, 3, 4, 0, 4});
  expect_tensor<int32_t>(run_tensor("Unique", {x}, attributes_of({{"axis", int64_t{1}}})), {2, 2},
                         {1, 3, 0, 4});
}

TEST(Unique, StringsAreSorted) {
  const auto result = run_tensor("Unique", {Tensor::strings({3}, {"b", "a", "b"})});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->string_elements(), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace edgewright
