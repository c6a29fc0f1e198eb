#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Gather, NegativeIndicesCountFromTheEnd) {
  const Tensor x = Tensor::strings({3}, {"a", "b", "c"});
  const auto result = run_tensor("Gather", {x, Tensor::of<int64_t>({1, 2}, {-1, 0})});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->dims(), (Dims{1, 2}));
  EXPECT_EQ(result->string_elements(), (std::vector<std::string>{"c", "a"}));
  expect_error(run_tensor("Gather", {x, Tensor::scalar<int64_t>(3)}), ErrorKind::kBadInput);
}

TEST(Gather, ElementsAlongAnAxis) {
  const Tensor x = Tensor::of<int32_t>({2, 2}, {1, 2, 3, 4});
  const Tensor indices = Tensor::of<int32_t>({2, 2}, {0, 0, 1, 0});
  expect_tensor<int32_t>(
      run_tensor("GatherElements", {x, indices}, attributes_of({{"axis", int64_t{1}}})), {2, 2},
      {1, 1, 4, 3});
  const Tensor wide = Tensor::of<int32_t>({3, 1}, {0, 0, 0});
  expect_error(run_tensor("GatherElements", {x, wide}, attributes_of({{"axis", int64_t{1}}})),
               ErrorKind::kBadInput);
}

TEST(Gather, NdWithBatches) {
  const Tensor x = Tensor::of<int32_t>({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  const Tensor indices = Tensor::of<int64_t>({2, 1}, {1, -2});
  expect_tensor<int32_t>(
      run_tensor("GatherND", {x, indices}, attributes_of({{"batch_dims", int64_t{1}}})), {2, 2},
      {2, 3, 4, 5});
  expect_error(run_tensor("GatherND", {x, Tensor::of<int64_t>({1, 4}, {0, 0, 0, 0})}),
               ErrorKind::kBadInput);
  expect_error(run_tensor("GatherND", {x, Tensor::of<int64_t>({1, 1}, {2})}), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
