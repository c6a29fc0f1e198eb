#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

Datum numbers() {
  return Datum::sequence({Tensor::scalar<int64_t>(1), Tensor::scalar<int64_t>(2)});
}

TEST(Sequence, InsertEraseAt) {
  const Tensor three = Tensor::scalar<int64_t>(3);
  const auto longer = run_kernel("SequenceInsert", {numbers(), three, Tensor::scalar<int64_t>(-1)});
  ASSERT_TRUE(longer.ok());
  expect_tensor<int64_t>(run_tensor("SequenceAt", {(*longer)[0], Tensor::scalar<int64_t>(1)}), {},
                         {3});
  const auto shorter = run_kernel("SequenceErase", {(*longer)[0]});
  ASSERT_TRUE(shorter.ok());
  expect_tensor<int64_t>(run_tensor("SequenceLength", {(*shorter)[0]}), {}, {2});
  expect_error(run_tensor("SequenceAt", {numbers(), Tensor::scalar<int64_t>(2)}),
               ErrorKind::kBadInput);
  expect_error(run_kernel("SequenceErase", {Datum::sequence({})}), ErrorKind::kBadInput);
}

TEST(Sequence, SplitAndConcatAreInverse) {
  const Tensor x = Tensor::of<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Attributes axis = attributes_of({{"axis", int64_t{1}}});
  const auto parts = run_kernel("SplitToSequence", {x, Tensor::scalar<int64_t>(2)}, axis);
  ASSERT_TRUE(parts.ok());
  ASSERT_EQ((*parts)[0].elements().size(), 2u);
  expect_tensor<int32_t>(run_tensor("ConcatFromSequence", {(*parts)[0]}, axis), {2, 3},
                         {1, 2, 3, 4, 5, 6});
}

TEST(Sequence, EmptyOptionalHasNoElement) {
  const auto empty = run_kernel("Optional", {});
  ASSERT_TRUE(empty.ok());
  const auto has = run_tensor("OptionalHasElement", {(*empty)[0]});
  ASSERT_TRUE(has.ok());
  EXPECT_EQ(has->data<uint8_t>()[0], 0);
  expect_error(run_kernel("OptionalGetElement", {(*empty)[0]}), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
