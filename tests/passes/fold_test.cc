// Folding of constants, shapes and control flow.
#include <gtest/gtest.h>

#include "pass_case.h"
#include "passes/passes.h"

namespace edgewright {
namespace {

const PassCase kCases[] = {
    {"constants", fold_constants,
     R"(graph %g(%x: float32[4], %w_a: float32[4], %w_b: float32[4]) -> (%y) {
  %c: float32[4] = Mul(%w_a, %w_b)
  %y: float32[4] = Add(%x, %c)
})",
     "Add 1"},
    {"constants_not_random", fold_constants, R"(graph %g() -> (%y) {
  %y: float32[4] = RandomNormal() {shape=[4]}
})",
     "unchanged"},
    {"constants_not_growing", fold_constants, R"(graph %g(%w_a: float32[1]) -> (%y) {
  %s: int64[2] = {1024, 1024}
  %y: float32[1024,1024] = Expand(%w_a, %s)
})",
     "unchanged"},
    {"constants_not_dequantised", fold_constants, R"(graph %g() -> (%y) {
  %q: int8[4] = {1, 2, 3, 4}
  %s: float32[] = {0.5}
  %y: float32[4] = DequantizeLinear(%q, %s)
})",
     "unchanged"},
    {"shapes_known_dimension", fold_shapes, R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %i: int64[] = {1}
  %z: int64[1] = {0}
  %m: int64[1] = {-1}
  %s: int64[3] = Shape(%x)
  %d: int64[] = Gather(%s, %i)
  %u: int64[1] = Unsqueeze(%d, %z)
  %t: int64[2] = Concat(%u, %m) {axis=0}
  %y: float32[3,8] = Reshape(%x, %t)
})",
     "Reshape 1"},
    {"shapes_unknown_dimension", fold_shapes, R"(graph %g(%x: float32[n,3,4]) -> (%y) {
  %i: int64[] = {0}
  %s: int64[3] = Shape(%x)
  %y: int64[] = Gather(%s, %i)
})",
     "unchanged"},
    {"reshape_target_copied_and_inferred", fold_reshape_target,
     R"(graph %g(%x: float32[2,1,2], %n: int64[2]) -> (%y) {
  %i: int64[] = {0}
  %z: int64[1] = {0}
  %two: int64[1] = {2}
  %s: int64[2] = Shape(%n)
  %d: int64[] = Gather(%s, %i)
  %u: int64[1] = Unsqueeze(%d, %z)
  %p: int64[1] = ReduceSum(%n)
  %t: int64[3] = Concat(%u, %p, %two) {axis=0}
  %y: float32[2,?,2] = Reshape(%x, %t)
})",
     "Reshape 1"},
    {"if_then", fold_if, R"(graph %g(%x: float32[3]) -> (%y) {
  %c: bool[] = {1}
  %y: float32[3] = If(%c) {else_branch=graph %e() -> (%p) {
    %p: float32[3] = Neg(%x)
  }, then_branch=graph %t() -> (%q) {
    %r: float32[3] = Exp(%x)
    %q: float32[3] = Abs(%r)
  }}
})",
     "Abs 1, Exp 1"},
    {"if_else", fold_if, R"(graph %g(%x: float32[3]) -> (%y) {
  %c: bool[] = {0}
  %a: float32[3] = Exp(%x)
  %y: float32[3] = If(%c) {else_branch=graph %e() -> (%p) {
    %p: float32[3] = Identity(%a)
  }, then_branch=graph %t() -> (%q) {
    %q: float32[3] = Abs(%x)
  }}
})",
     "Exp 1, Identity 1"},
    {"if_unknown_condition", fold_if, R"(graph %g(%x: float32[3], %c: bool[]) -> (%y) {
  %y: float32[3] = If(%c) {else_branch=graph %e() -> (%p) {
    %p: float32[3] = Neg(%x)
  }, then_branch=graph %t() -> (%q) {
    %q: float32[3] = Exp(%x)
  }}
})",
     "unchanged"},
    {"loop_once", fold_loop, R"(graph %g(%x: float32[3]) -> (%y, %s) {
  %n: int64[] = {1}
  %y: float32[3], %s: float32[1,3] = Loop(%n, _, %x) {body=graph %b(%i: int64[], %c: bool[], %v: float32[3]) -> (%d, %w, %o) {
    %d: bool[] = Identity(%c)
    %w: float32[3] = Exp(%v)
    %o: float32[3] = Neg(%v)
  }}
})",
     "Exp 1, Neg 1, Unsqueeze 1"},
    {"loop_never", fold_loop, R"(graph %g(%x: float32[3]) -> (%y) {
  %n: int64[] = {0}
  %a: float32[3] = Abs(%x)
  %y: float32[3] = Loop(%n, _, %a) {body=graph %b(%i: int64[], %c: bool[], %v: float32[3]) -> (%d, %w) {
    %d: bool[] = Identity(%c)
    %w: float32[3] = Exp(%v)
  }}
})",
     "Abs 1"},
    {"loop_twice", fold_loop, R"(graph %g(%x: float32[3]) -> (%y) {
  %n: int64[] = {2}
  %y: float32[3] = Loop(%n, _, %x) {body=graph %b(%i: int64[], %c: bool[], %v: float32[3]) -> (%d, %w) {
    %d: bool[] = Identity(%c)
    %w: float32[3] = Exp(%v)
  }}
})",
     "unchanged"},
};

class FoldTest : public testing::TestWithParam<PassCase> {};
TEST_P(FoldTest, RewritesAndKeepsNumbers) { EXPECT_EQ(check_pass(GetParam()), ""); }
INSTANTIATE_TEST_SUITE_P(Passes, FoldTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace edgewright
