// Elimination of what changes nothing.
#include <gtest/gtest.h>

#include "pass_case.h"
#include "passes/passes.h"

namespace edgewright {
namespace {

const PassCase kCases[] = {
    {"identity", eliminate_identity,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[2,3,4] = Identity(%x)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"identity_between_input_and_output", eliminate_identity,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %y: float32[2,3,4] = Identity(%x)
})",
     "unchanged"},
    {"dropout", eliminate_dropout,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %r: float32[] = {0.3}
  %a: float32[2,3,4] = Dropout(%x, %r)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"dropout_of_training", eliminate_dropout,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %r: float32[] = {0.3}
  %t: bool[] = {1}
  %a: float32[2,3,4] = Dropout(%x, %r, %t)
  %y: float32[2,3,4] = Exp(%a)
})",
     "unchanged"},
    {"no_op_cast", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[2,3,4] = Cast(%x) {to=1}
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"cast_that_rounds", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float16[2,3,4] = Cast(%x) {to=10}
  %y: float16[2,3,4] = Exp(%a)
})",
     "unchanged"},
    {"no_op_slice", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %s: int64[1] = {0}
  %e: int64[1] = {9}
  %k: int64[1] = {2}
  %a: float32[2,3,4] = Slice(%x, %s, %e, %k)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"slice_that_reverses", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %s: int64[1] = {3}
  %e: int64[1] = {-9}
  %k: int64[1] = {2}
  %t: int64[1] = {-1}
  %a: float32[2,3,4] = Slice(%x, %s, %e, %k, %t)
  %y: float32[2,3,4] = Exp(%a)
})",
     "unchanged"},
    {"no_op_pad", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %p: int64[6] = {0, 0, 0, 0, 0, 0}
  %a: float32[2,3,4] = Pad(%x, %p)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"pad_that_crops_and_pads", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %p: int64[6] = {0, 0, 1, 0, 0, -1}
  %a: float32[2,3,4] = Pad(%x, %p)
  %y: float32[2,3,4] = Exp(%a)
})",
     "unchanged"},
    {"no_op_transpose_of_ones", eliminate_no_op,
     R"(graph %g(%x: float32[1,1,4]) -> (%y) {
  %a: float32[1,1,4] = Transpose(%x) {perm=[1, 0, 2]}
  %y: float32[1,1,4] = Exp(%a)
})",
     "Exp 1"},
    {"transpose_of_a_square", eliminate_no_op,
     R"(graph %g(%x: float32[3,3]) -> (%y) {
  %a: float32[3,3] = Transpose(%x) {perm=[1, 0]}
  %y: float32[3,3] = Exp(%a)
})",
     "unchanged"},
    {"no_op_reshape", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %s: int64[3] = {0, -1, 4}
  %a: float32[2,3,4] = Reshape(%x, %s)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"no_op_expand", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %s: int64[2] = {3, 1}
  %a: float32[2,3,4] = Expand(%x, %s)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"concat_of_one", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[2,3,4] = Concat(%x) {axis=1}
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"tile_once", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %s: int64[3] = {1, 1, 1}
  %a: float32[2,3,4] = Tile(%x, %s)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"reduction_of_ones", eliminate_no_op,
     R"(graph %g(%x: float32[2,1,4]) -> (%y) {
  %k: int64[1] = {1}
  %a: float32[2,1,4] = ReduceMean(%x, %k)
  %y: float32[2,1,4] = Exp(%a)
})",
     "Exp 1"},
    {"reduction_of_more", eliminate_no_op,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %k: int64[1] = {1}
  %a: float32[2,1,4] = ReduceMean(%x, %k)
  %y: float32[2,1,4] = Exp(%a)
})",
     "unchanged"},
    {"add_zero_that_changes_the_sign_of_zero", eliminate_neutral_operand,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %z: float32[4] = {0.0, 0.0, 0.0, 0.0}
  %a: float32[2,3,4] = Add(%z, %x)
  %y: float32[2,3,4] = Exp(%a)
})",
     "unchanged"},
    {"add_minus_zero", eliminate_neutral_operand,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %z: float32[4] = {-0.0, -0.0, -0.0, -0.0}
  %a: float32[2,3,4] = Add(%z, %x)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"add_integer_zero", eliminate_neutral_operand,
     R"(graph %g(%x: int32[2,3,4]) -> (%y) {
  %z: int32[] = {0}
  %a: int32[2,3,4] = Add(%z, %x)
  %y: int32[2,3,4] = Neg(%a)
})",
     "Neg 1"},
    {"zero_minus", eliminate_neutral_operand,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %z: float32[] = {0.0}
  %a: float32[2,3,4] = Sub(%z, %x)
  %y: float32[2,3,4] = Exp(%a)
})",
     "unchanged"},
    {"times_one_that_broadcasts", eliminate_neutral_operand,
     R"(graph %g(%x: float32[1,4]) -> (%y) {
  %o: float32[2,1] = {1.0, 1.0}
  %a: float32[2,4] = Mul(%x, %o)
  %y: float32[2,4] = Exp(%a)
})",
     "unchanged"},
    {"divided_by_one", eliminate_neutral_operand,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %o: float32[1] = {1.0}
  %a: float32[2,3,4] = Div(%x, %o)
  %y: float32[2,3,4] = Exp(%a)
})",
     "Exp 1"},
    {"where_always", eliminate_neutral_operand,
     R"(graph %g(%x: float32[2,2], %z: float32[2,2]) -> (%y) {
  %c: bool[2] = {0, 0}
  %a: float32[2,2] = Where(%c, %z, %x)
  %y: float32[2,2] = Exp(%a)
})",
     "Exp 1"},
    {"neg_twice", eliminate_repeated,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[2,3,4] = Abs(%x)
  %b: float32[2,3,4] = Neg(%a)
  %c: float32[2,3,4] = Neg(%b)
  %y: float32[2,3,4] = Exp(%c)
})",
     "Abs 1, Exp 1"},
    {"relu_twice", eliminate_repeated,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %b: float32[2,3,4] = Relu(%x)
  %y: float32[2,3,4] = Relu(%b)
})",
     "Relu 1"},
    {"exp_twice", eliminate_repeated,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %b: float32[2,3,4] = Exp(%x)
  %y: float32[2,3,4] = Exp(%b)
})",
     "unchanged"},
    {"common_nodes_and_constants", eliminate_common_subexpressions,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %c: float32[] = {2.0}
  %d: float32[] = {2.0}
  %a: float32[2,3,4] = Mul(%x, %c)
  %b: float32[2,3,4] = Mul(%d, %x)
  %y: float32[2,3,4] = Add(%a, %b)
})",
     "Add 1, Mul 1"},
    {"different_attributes", eliminate_common_subexpressions,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[2,3,4] = LeakyRelu(%x) {alpha=0.1}
  %b: float32[2,3,4] = LeakyRelu(%x) {alpha=0.2}
  %y: float32[2,3,4] = Add(%a, %b)
})",
     "unchanged"},
    {"order_matters", eliminate_common_subexpressions,
     R"(graph %g(%x: float32[3], %z: float32[3]) -> (%y) {
  %a: float32[3] = Sub(%x, %z)
  %b: float32[3] = Sub(%z, %x)
  %y: float32[3] = Add(%a, %b)
})",
     "unchanged"},
    {"two_equal_outputs", eliminate_common_subexpressions,
     R"(graph %g(%x: float32[2,3,4]) -> (%y, %z) {
  %y: float32[2,3,4] = Exp(%x)
  %z: float32[2,3,4] = Exp(%x)
})",
     "unchanged"},
    {"rejoined_split", eliminate_rejoined_parts,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %e: float32[2,3,4] = Exp(%x)
  %a: float32[2,3,2], %b: float32[2,3,2] = Split(%e) {axis=2, num_outputs=2}
  %y: float32[2,3,4] = Concat(%a, %b) {axis=-1}
})",
     "Exp 1"},
    {"split_joined_in_another_order", eliminate_rejoined_parts,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[2,3,2], %b: float32[2,3,2] = Split(%x) {axis=2, num_outputs=2}
  %y: float32[2,3,4] = Concat(%b, %a) {axis=2}
})",
     "unchanged"},
    {"rejoined_slices", eliminate_rejoined_parts,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %e: float32[2,3,4] = Exp(%x)
  %z: int64[1] = {0}
  %o: int64[1] = {1}
  %m: int64[1] = {9}
  %a: float32[2,1,4] = Slice(%e, %z, %o, %o)
  %b: float32[2,2,4] = Slice(%e, %o, %m, %o)
  %y: float32[2,3,4] = Concat(%a, %b) {axis=1}
})",
     "Exp 1"},
    {"slices_with_a_gap", eliminate_rejoined_parts,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %z: int64[1] = {0}
  %o: int64[1] = {1}
  %t: int64[1] = {2}
  %m: int64[1] = {9}
  %a: float32[2,1,4] = Slice(%x, %z, %o, %o)
  %b: float32[2,1,4] = Slice(%x, %t, %m, %o)
  %y: float32[2,2,4] = Concat(%a, %b) {axis=1}
})",
     "unchanged"},
    {"slice_of_concat", eliminate_slice_of_concat,
     R"(graph %g(%x: float32[2,3,4], %z: float32[2,3,2]) -> (%y) {
  %s: int64[1] = {4}
  %e: int64[1] = {6}
  %k: int64[1] = {2}
  %p: float32[2,3,2] = Exp(%z)
  %c: float32[2,3,6] = Concat(%x, %p) {axis=2}
  %a: float32[2,3,2] = Slice(%c, %s, %e, %k)
  %y: float32[2,3,2] = Neg(%a)
})",
     "Exp 1, Neg 1"},
    {"slice_across_parts", eliminate_slice_of_concat,
     R"(graph %g(%x: float32[2,3,4], %z: float32[2,3,2]) -> (%y) {
  %s: int64[1] = {3}
  %e: int64[1] = {5}
  %k: int64[1] = {2}
  %c: float32[2,3,6] = Concat(%x, %z) {axis=2}
  %y: float32[2,3,2] = Slice(%c, %s, %e, %k)
})",
     "unchanged"},
    {"expand_before_broadcast", eliminate_expand,
     R"(graph %g(%x: float32[1,4], %z: float32[3,4]) -> (%y) {
  %s: int64[2] = {3, 4}
  %a: float32[3,4] = Expand(%x, %s)
  %y: float32[3,4] = Mul(%a, %z)
})",
     "Mul 1"},
    {"expand_that_is_needed", eliminate_expand,
     R"(graph %g(%x: float32[1,4], %z: float32[4]) -> (%y) {
  %s: int64[2] = {3, 4}
  %a: float32[3,4] = Expand(%x, %s)
  %y: float32[3,4] = Mul(%a, %z)
})",
     "unchanged"},
    {"expand_that_adds_an_axis", eliminate_expand,
     R"(graph %g(%x: float32[3,4], %z: float32[3,4]) -> (%y) {
  %s: int64[3] = {1, 1, 1}
  %a: float32[1,3,4] = Expand(%x, %s)
  %y: float32[1,3,4] = Mul(%a, %z)
})",
     "unchanged"},
    {"required_outputs", eliminate_dead,
     R"(graph %g(%x: float32[8]) -> (%y) {
  %k: int64[1] = {3}
  %y: float32[3], %i: int64[3] = TopK(%x, %k)
})",
     "unchanged"},
    {"dead_nodes_and_outputs", eliminate_dead,
     R"(graph %g(%x: float32[1,1,4,4]) -> (%y) {
  %d: float32[1,1,4,4] = Exp(%x)
  %y: float32[1,1,3,3], %i: int64[1,1,3,3] = MaxPool(%x) {kernel_shape=[2, 2]}
})",
     "MaxPool 1"},
};

class EliminateTest : public testing::TestWithParam<PassCase> {};
TEST_P(EliminateTest, RewritesAndKeepsNumbers) { EXPECT_EQ(check_pass(GetParam()), ""); }
INSTANTIATE_TEST_SUITE_P(Passes, EliminateTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace edgewright
