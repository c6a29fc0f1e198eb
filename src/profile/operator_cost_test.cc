#include "profile/operator_cost.h"

#include <gtest/gtest.h>

#include "graph/text.h"

namespace edgewright {
namespace {

Work work_of_last(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return work_of(operation_of((*graph)->nodes().back()));
}

TEST(OperatorCost, ConvolutionCountsEachWeightPerOutputPosition) {
  // The first layer of ResNet-50: 112 x 112 x 64 outputs, 3 x 7 x 7 weights each.
  const Work work = work_of_last(
      "graph %g(%x: float32[1,3,224,224], %w: float32[64,3,7,7]) -> (%y) {\n"
      "%y: float32[1,64,112,112] = Conv(%x, %w)\n}");
  EXPECT_EQ(work.kind, WorkKind::kConvolution);
  EXPECT_EQ(work.multiply_adds, 112 * 112 * 64 * 147);
  EXPECT_EQ(work.flops, 2 * work.multiply_adds);
  EXPECT_EQ(work.bytes_read, 4 * (3 * 224 * 224 + 64 * 147));
  EXPECT_EQ(work.bytes_written, 4 * 64 * 112 * 112);
}

TEST(OperatorCost, DepthwiseAndFewRowsAreKindsOfTheirOwn) {
  EXPECT_EQ(work_of_last("graph %g(%x: float32[1,8,4,4], %w: float32[8,1,3,3]) -> (%y) {\n"
                         "%y: float32[1,8,4,4] = Conv(%x, %w) {group=8}\n}")
                .kind,
            WorkKind::kDepthwise);
  EXPECT_EQ(work_of_last("graph %g(%a: float32[1,64], %b: float32[64,32]) -> (%y) {\n"
                         "%y: float32[1,32] = MatMul(%a, %b)\n}")
                .kind,
            WorkKind::kVector);
}

TEST(OperatorCost, AttentionCountsScoresAndValues) {
  const Work work = work_of_last(
      "graph %g(%q: float32[2,7,12], %k: float32[2,5,12], %v: float32[2,5,12]) -> (%y) {\n"
      "%y: float32[2,7,12] = edgewright::Attention(%q, %k, %v) {num_heads=3}\n}");
  EXPECT_EQ(work.kind, WorkKind::kAttention);
  EXPECT_EQ(work.multiply_adds, 2 * 2 * 7 * 5 * 12);
}

TEST(OperatorCost, IntegerOperatorsOfTheEngineCountAsTheirFloatForms) {
  const Work conv = work_of_last(
      "graph %g(%x: uint8[1,16,8,8], %w: int8[32,16,3,3], %m: float32[32]) -> (%y) {\n"
      "%y: uint8[1,32,6,6] = edgewright::QuantizedConv2d(%x, %w, %m)\n}");
  EXPECT_EQ(conv.kind, WorkKind::kConvolution);
  EXPECT_EQ(conv.multiply_adds, 32 * 6 * 6 * 16 * 9);
  EXPECT_EQ(conv.compute_dtype, DType::kUint8);
  const Work product = work_of_last(
      "graph %g(%a: uint8[40,64], %b: int8[64,32], %m: float32[32]) -> (%y) {\n"
      "%y: uint8[40,32] = edgewright::QuantizedMatMul(%a, %b, %m)\n}");
  EXPECT_EQ(product.kind, WorkKind::kMatrix);
  EXPECT_EQ(product.multiply_adds, 40 * 64 * 32);
  const Work attention = work_of_last(
      "graph %g(%x: float32[1,65,192]) -> (%y) {\n"
      "%y: uint8[1,65,64] = edgewright::QuantizedAttention(%x) {num_heads=2}\n}");
  EXPECT_EQ(attention.kind, WorkKind::kAttention);
  EXPECT_EQ(attention.multiply_adds, 2 * 65 * 65 * 64);
  EXPECT_EQ(attention.compute_dtype, DType::kInt8);
}

TEST(OperatorCost, ReadsOnlyWhatAGatherTakes) {
  const Work work = work_of_last(
      "graph %g(%t: float32[1000,16], %i: int64[3]) -> (%y) {\n"
      "%y: float32[3,16] = Gather(%t, %i)\n}");
  EXPECT_EQ(work.bytes_read, 3 * 16 * 4 + 3 * 8);
  EXPECT_EQ(work.flops, 0);
}

TEST(OperatorCost, UnknownShapesMakeTheFiguresAFloor) {
  const Work work = work_of_last(
      "graph %g(%a: float32[n,4], %b: float32[4,16]) -> (%y) {\n"
      "%y: float32[n,16] = MatMul(%a, %b)\n}");
  EXPECT_FALSE(work.complete);
}

TEST(OperatorCost, ViewsDoNoWork) {
  const Work work = work_of_last(
      "graph %g(%a: float32[2,4], %s: int64[1]) -> (%y) {\n"
      "%y: float32[8] = Reshape(%a, %s)\n}");
  EXPECT_EQ(work.kind, WorkKind::kView);
  EXPECT_EQ(work.bytes_read + work.bytes_written, 0);
}

}  // namespace
}  // namespace edgewright
