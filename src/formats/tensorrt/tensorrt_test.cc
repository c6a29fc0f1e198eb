#include "formats/tensorrt/tensorrt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"

namespace edgewright {
namespace {

using testing::HasSubstr;
using testing::Not;

Model model_of(const char* text) {
  auto model = parse_model(text);
  EXPECT_TRUE(model.ok()) << model.error().message;
  return *std::move(model);
}

constexpr const char* kQuantised = R"(graph %main(%x: float32[N,1,2,2]) -> (%y) {
  %s: float32[] = {0.5}
  %z: int8[] = {0}
  %w8: int8[2,1,1,1] = {3, -4}
  %ws: float32[2] = {0.25, 0.5}
  %b32: int32[2] = {2, 4}
  %bs: float32[2] = {0.125, 0.25}
  %q: int8[N,1,2,2] = QuantizeLinear(%x, %s, %z)
  %d: float32[N,1,2,2] = DequantizeLinear(%q, %s, %z)
  %w: float32[2,1,1,1] = DequantizeLinear(%w8, %ws) {axis=0} "weights"
  %b: float32[2] = DequantizeLinear(%b32, %bs) {axis=0}
  %y: float32[N,2,2,2] = Conv(%d, %w, %b)
}
)";

TEST(Tensorrt, WritesWeightsAsFloatsThatAreRounded) {
  const Model model = model_of(kQuantised);
  ASSERT_TRUE(place_tensorrt_quantization(*model.graph).ok());
  const std::string text = print(*model.graph);
  EXPECT_THAT(text, HasSubstr("%w_float: float32[2,1,1,1] = {0.75, -2"));
  EXPECT_THAT(text, HasSubstr("QuantizeLinear(%w_float, %ws, %w_zero)"));
  EXPECT_THAT(text, HasSubstr("= DequantizeLinear(%w_quantized, %ws, %w_zero)"));
  // The bias is 2 x 0.125 and 4 x 0.25, without nodes.
  EXPECT_THAT(text, HasSubstr("float32[2] = {0.25, 1.0}"));
  EXPECT_THAT(text, Not(HasSubstr("int32")));
  EXPECT_THAT(violations(*model.graph), testing::IsEmpty());
}

TEST(Tensorrt, RefusesZeroPoints) {
  const Model model = model_of(R"(graph %main(%x: float32[2]) -> (%y) {
  %s: float32[] = {0.5}
  %z: uint8[] = {128}
  %q: uint8[2] = QuantizeLinear(%x, %s, %z) "round"
  %y: float32[2] = DequantizeLinear(%q, %s, %z)
}
)");
  const Status status = place_tensorrt_quantization(*model.graph);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(status.error().message, HasSubstr("node 'round' (QuantizeLinear): its integers are "
                                                "uint8"));
  EXPECT_THAT(status.error().message, HasSubstr("--quantize scheme=s8s8"));
}

TEST(Tensorrt, CalibrationCacheHasScalesInHexadecimal) {
  const Model model = model_of(kQuantised);
  // 0.5 is 0x3f000000.
  EXPECT_EQ(tensorrt_calibration_cache(*model.graph),
            "TRT-8601-EntropyCalibration2\nx: 3f000000\n");
  EXPECT_EQ(tensorrt_calibration_cache(Graph()), "");
}

TEST(Tensorrt, CommandHasProfilesAndPlugins) {
  const Model model = model_of(R"(graph %main(%x: float32[N,3,T], %past: float32[2,N]) -> (%y) {
  %y: float32[N,3,T] = maker::Odd(%x) "odd"
}
)");
  const std::string text = tensorrt_command(
      *model.graph, {.half = true, .plugin_nodes = {&model.graph->nodes().front()}});
  EXPECT_THAT(text, HasSubstr("--minShapes=x:1x3x1,past:2x1 "));
  EXPECT_THAT(text, HasSubstr("--optShapes=x:1x3x128,past:2x1 "));
  EXPECT_THAT(text, HasSubstr("--maxShapes=x:32x3x512,past:2x32"));
  EXPECT_THAT(text, HasSubstr("--fp16"));
  EXPECT_THAT(text, Not(HasSubstr("--int8")));
  EXPECT_THAT(text, HasSubstr("# needs a plugin: node 'odd' (Odd)\n"));
  EXPECT_THAT(text, HasSubstr("--staticPlugins=\"$stem.plugins/Odd.so\""));
  EXPECT_THAT(tensorrt_command(*model_of(kQuantised).graph, {}), HasSubstr("--int8"));
}

TEST(Tensorrt, SkeletonNamesTypesAndAttributes) {
  const Model model = model_of(R"(graph %main(%x: float32[2,3]) -> (%y) {
  %y: float32[2,3] = maker::Odd(%x) {alpha=0.5} "odd"
}
)");
  const Node& node = model.graph->nodes().front();
  const std::string text = tensorrt_plugin_skeleton(node);
  EXPECT_THAT(text, HasSubstr("class OddPlugin : public IPluginV3"));
  EXPECT_THAT(text, HasSubstr("float alpha_{};"));
  EXPECT_THAT(text, HasSubstr("//   float32[2,3]"));
  EXPECT_THAT(text, Not(HasSubstr("@")));
}

}  // namespace
}  // namespace edgewright
