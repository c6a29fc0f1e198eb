#include <limits>
#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

Tensor ints(std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>({std::ssize(values)}, values);
}

TEST(Movement, SliceBackwardsAndBeyond) {
  const Tensor x = Tensor::of<int32_t>({4}, {1, 2, 3, 4});
  const int64_t low = std::numeric_limits<int64_t>::min();
  const int64_t high = std::numeric_limits<int64_t>::max();
  expect_tensor<int32_t>(run_tensor("Slice", {x, ints({high}), ints({low}), ints({0}), ints({-2})}),
                         {2}, {4, 2});
  expect_tensor<int32_t>(
      run_tensor("Slice", {x, ints({-2}), ints({high}), ints({-1}), ints({high})}), {1}, {3});
  expect_tensor<int32_t>(run_tensor("Slice", {x, ints({3}), ints({low}), ints({0}), ints({low})}),
                         {1}, {4});
  expect_error(run_tensor("Slice", {x, ints({0}), ints({1}), ints({0}), ints({0})}),
               ErrorKind::kBadInput);
}

TEST(Movement, PackedElementsTranspose) {
  Tensor x = *Tensor::allocate(DType::kInt4, {3, 2});  // 1 2, 3 4, 5 6
  const auto bytes = {std::byte{0x21}, std::byte{0x43}, std::byte{0x65}};
  std::copy(bytes.begin(), bytes.end(), x.mutable_bytes());
  const auto result = run_tensor("Transpose", {x});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->dims(), (Dims{2, 3}));
  EXPECT_EQ(*result->to_int64s(), (std::vector<int64_t>{1, 3, 5, 2, 4, 6}));
}

TEST(Movement, ConcatNeedsEqualShapesBesideTheAxis) {
  const Tensor a = Tensor::of<int32_t>({1, 2}, {1, 2});
  const Tensor b = Tensor::of<int32_t>({1, 1}, {3});
  expect_tensor<int32_t>(run_tensor("Concat", {a, b}, attributes_of({{"axis", int64_t{1}}})),
                         {1, 3}, {1, 2, 3});
  expect_error(run_tensor("Concat", {a, b}, attributes_of({{"axis", int64_t{0}}})),
               ErrorKind::kBadInput);
}

TEST(Movement, SplitIntoUnequalParts) {
  const Tensor x = Tensor::of<int32_t>({5}, {1, 2, 3, 4, 5});
  const auto parts = run_kernel("Split", {x}, attributes_of({{"num_outputs", int64_t{2}}}), 2);
  ASSERT_TRUE(parts.ok());
  expect_tensor<int32_t>((*parts)[1].tensor(), {2}, {4, 5});
  expect_error(run_kernel("Split", {x, ints({7, -2})}, {}, 2), ErrorKind::kBadInput);
}

TEST(Movement, TileBeyondMemoryIsRefused) {
  const Tensor x = Tensor::of<int32_t>({2}, {1, 2});
  expect_tensor<int32_t>(run_tensor("Tile", {x, ints({2})}), {4}, {1, 2, 1, 2});
  EXPECT_FALSE(run_tensor("Tile", {x, ints({int64_t{1} << 62})}).ok());
  expect_error(run_tensor("Tile", {x, ints({-1})}), ErrorKind::kBadInput);
}

TEST(Movement, DepthToSpaceInBothOrders) {
  const Tensor x = Tensor::of<int32_t>({1, 8, 1, 1}, {0, 1, 2, 3, 4, 5, 6, 7});
  const auto run = [&](const char* mode) {
    return run_tensor("DepthToSpace", {x},
                      attributes_of({{"blocksize", int64_t{2}}, {"mode", mode}}));
  };
  expect_tensor<int32_t>(run("DCR"), {1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7});
  expect_tensor<int32_t>(run("CRD"), {1, 2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  expect_error(run("RCD"), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
