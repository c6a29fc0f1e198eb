// Fusions of attention and what prepares them.
#include "passes/passes.h"
#include "passes/rewrite_check.h"

namespace edgewright {
namespace {

// Self-attention with two heads of two; `scores` makes %m from the scores %s, [n,2,3,3].
std::string attention(std::string_view scores, std::string_view more = "") {
  return fmt::format(R"(
graph %g(%x: float32[n,3,4], %mask: float32[n,1,1,3]) -> (%y{1}) {{
  %wq: float32[4,4] = {{1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0}}
  %wk: float32[4,4] = {{5.0, 6.0, 7.0, 8.0, 5.0, 6.0, 7.0, 8.0, 5.0, 6.0, 7.0, 8.0, 5.0, 6.0, 7.0, 8.0}}
  %wv: float32[4,4] = {{9.0, 0.0, 1.0, 2.0, 9.0, 0.0, 1.0, 2.0, 9.0, 0.0, 1.0, 2.0, 9.0, 0.0, 1.0, 2.0}}
  %to: int64[4] = {{0, 0, 2, 2}}
  %back: int64[3] = {{0, 0, 4}}
  %c: float32[] = {{1.4142135}}
  %low: float32[] = {{-10000.0}}
  %lower: bool[1,1,3,3] = {{1, 0, 0, 1, 1, 0, 1, 1, 1}}
  %upper: bool[1,1,3,3] = {{1, 1, 1, 0, 1, 1, 0, 0, 1}}
  %q0: float32[n,3,4] = MatMul(%x, %wq)
  %k0: float32[n,3,4] = MatMul(%x, %wk)
  %v0: float32[n,3,4] = MatMul(%x, %wv)
  %q1: float32[n,3,2,2] = Reshape(%q0, %to)
  %k1: float32[n,3,2,2] = Reshape(%k0, %to)
  %v1: float32[n,3,2,2] = Reshape(%v0, %to)
  %q: float32[n,2,3,2] = Transpose(%q1) {{perm=[0, 2, 1, 3]}}
  %k: float32[n,2,2,3] = Transpose(%k1) {{perm=[0, 2, 3, 1]}}
  %v: float32[n,2,3,2] = Transpose(%v1) {{perm=[0, 2, 1, 3]}}
  %qk: float32[n,2,3,3] = MatMul(%q, %k)
  %s: float32[n,2,3,3] = Div(%qk, %c)
{0}
  %p: float32[n,2,3,3] = Softmax(%m)
  %o: float32[n,2,3,2] = MatMul(%p, %v)
  %t: float32[n,3,2,2] = Transpose(%o) {{perm=[0, 2, 1, 3]}}
  %y: float32[n,3,4] = Reshape(%t, %back)
}})",
                     scores, more);
}

TEST(FuseAttentionProjections, AddedMaskIsExpandedOverTheQueries) {
  const std::string text =
      rewritten(fuse_attention_projections, attention("  %m: float32[n,2,3,3] = Add(%s, %mask)"),
                ort_options());
  EXPECT_NE(text.find("%mask_shape: int64[4] = {1, 1, 3, 1}"), std::string::npos) << text;
  EXPECT_NE(
      text.find("%y: float32[n,3,4] = com.microsoft::Attention(%x, %wq_qkv, _, _, _, %mask_1) "
                "{num_heads=2}"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("%wq_qkv: float32[4,12]"), std::string::npos) << text;
  EXPECT_EQ(text.find("Softmax"), std::string::npos) << text;
}

TEST(FuseAttentionProjections, LowerTriangleIsUnidirectional) {
  const auto text = [](std::string_view triangle) {
    return rewritten(
        fuse_attention_projections,
        attention(fmt::format("  %m: float32[n,2,3,3] = Where({}, %s, %low)", triangle)),
        ort_options());
  };
  EXPECT_NE(text("%lower").find("Attention(%x, %wq_qkv) {num_heads=2, unidirectional=1}"),
            std::string::npos)
      << text("%lower");
  EXPECT_EQ(text("%upper").find("Attention"), std::string::npos);
}

TEST(FuseAttentionProjections, NotWhenTheProbabilitiesAreWanted) {
  const std::string text = attention("  %m: float32[n,2,3,3] = Add(%s, %mask)", ", %p");
  expect_unchanged(fuse_attention_projections, text, ort_options());
}

TEST(RewriteFlattenedGemm, LeadingAxesAreKept) {
  const auto text = [](std::string_view axes) {
    return fmt::format(R"(
graph %g(%x: float32[a,b,2], %w: float32[2,5], %c: float32[5]) -> (%y) {{
  %flat: int64[2] = {{-1, 2}}
  %zero: int64[1] = {{0}}
  %one: int64[1] = {{1}}
  %n: int64[1] = {{5}}
  %f: float32[?,2] = Reshape(%x, %flat)
  %p: float32[?,5] = Gemm(%f, %w, %c)
  %s: int64[3] = Shape(%x)
  %i: int64[1] = Gather(%s, {})
  %j: int64[1] = Gather(%s, {})
  %back: int64[3] = Concat(%i, %j, %n) {{axis=0}}
  %y: float32[?,?,5] = Reshape(%p, %back)
}})",
                       axes.substr(0, axes.find('|')), axes.substr(axes.find('|') + 1));
  };
  expect_rewrite(rewrite_flattened_gemm, text("%zero|%one"), R"(
graph %g(%x: float32[a,b,2], %w: float32[2,5], %c: float32[5]) -> (%y) {
  %p_1: ? = MatMul(%x, %w)
  %y: float32[?,?,5] = Add(%p_1, %c)
})");
  expect_unchanged(rewrite_flattened_gemm, text("%one|%zero"));
}

TEST(EliminateUniformWhere, OnlyWhenTheShapeStays) {
  const auto text = [](std::string_view shape) {
    return fmt::format(R"(
graph %g(%x: float32[{}], %z: float32[2,3]) -> (%y) {{
  %c: bool[1,1] = {{0}}
  %to: int64[2] = {{2, 3}}
  %e: bool[2,3] = Expand(%c, %to)
  %n: float32[{}] = Neg(%x)
  %w: float32[2,3] = Where(%e, %z, %n)
  %y: float32[2,3] = Abs(%w)
}})",
                       shape, shape);
  };
  expect_rewrite(eliminate_uniform_where, text("2,3"), R"(
graph %g(%x: float32[2,3], %z: float32[2,3]) -> (%y) {
  %w: float32[2,3] = Neg(%x)
  %y: float32[2,3] = Abs(%w)
})");
  expect_unchanged(eliminate_uniform_where, text("1,3"));
}

TEST(FuseGemmSum, TermMustBroadcast) {
  const auto text = [](std::string_view shape) {
    return fmt::format(R"(
graph %g(%a: float32[m,k], %b: float32[k,n], %c: float32[{}]) -> (%y) {{
  %p: float32[m,n] = Gemm(%a, %b) {{beta=2.0}}
  %y: float32[m,n] = Sum(%p, %c)
}})",
                       shape);
  };
  expect_rewrite(fuse_gemm_sum, text("1,n"), R"(
graph %g(%a: float32[m,k], %b: float32[k,n], %c: float32[1,n]) -> (%y) {
  %y: float32[m,n] = Gemm(%a, %b, %c) {beta=1.0}
})");
  expect_unchanged(fuse_gemm_sum, text("1,m,n"));
}

TEST(RewriteTransposedGemm, ExchangesTheFactors) {
  expect_rewrite(rewrite_transposed_gemm, R"(
graph %g(%a: float32[k,m], %b: float32[k,n]) -> (%y) {
  %p: float32[m,n] = Gemm(%a, %b) {transA=1}
  %y: float32[n,m] = Transpose(%p)
})",
                 R"(
graph %g(%a: float32[k,m], %b: float32[k,n]) -> (%y) {
  %y: float32[n,m] = Gemm(%b, %a) {transA=1, transB=0}
})");
  expect_unchanged(rewrite_transposed_gemm, R"(
graph %g(%a: float32[k,m], %b: float32[k,n], %c: float32[n]) -> (%y) {
  %p: float32[m,n] = Gemm(%a, %b, %c) {transA=1}
  %y: float32[n,m] = Transpose(%p)
})");
}

}  // namespace
}  // namespace edgewright
