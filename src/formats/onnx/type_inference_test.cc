#include "formats/onnx/type_inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/defs/parser.h>

#include "formats/onnx/onnx.h"

namespace edgewright {
namespace {

using testing::HasSubstr;

// The type of the first output after inference, or the error.
std::string inferred(const char* text) {
  onnx::ModelProto proto;
  onnx::OnnxParser parser(text);
  const auto status = parser.Parse(proto);
  EXPECT_TRUE(status.IsOK()) << status.ErrorMessage();
  const std::string bytes = proto.SerializeAsString();
  auto model = import_onnx_bytes(std::as_bytes(std::span(bytes)), "");
  if (!model.ok()) return model.error().message;
  auto result = onnx_type_inferer().infer(*model->graph);
  if (!result.ok()) return result.error().message;
  return type_text(model->graph->outputs()[0]->type);
}

TEST(TypeInference, FollowsSymbolicShapeComputations) {
  EXPECT_EQ(inferred(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[N, S, 12] x) => (float[a, b, c, d] y) <int64[1] axes = {0}, int64 zero = {0},
          int64[2] tail = {3, 4}> {
        shape = Shape <end = 2> (x)
        n = Gather (shape, zero)
        front = Unsqueeze (n, axes)
        minus = Constant <value_ints = [-1]> ()
        whole = Concat <axis = 0> (front, minus, tail)
        y = Reshape (x, whole)
      })"),
            "float32[N,b,3,4]");
}

TEST(TypeInference, EntersBranchesAndLoops) {
  EXPECT_EQ(inferred(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (bool c, float[2, 3] x) => (y) {
        y = If (c) <then_branch = t () => (a) { a = Transpose (x) },
                    else_branch = e () => (b) { b = Transpose (x) }>
      })"),
            "float32[3,2]");
  EXPECT_EQ(inferred(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (int64 n, bool c, float[2] x) => (last, s) {
        last, s = Loop (n, c, x) <body = b (int64 i, bool k, float[2] v) => (bool k2, w, o) {
            k2 = Identity (k)  w = Neg (v)  o = Cast <to = 7> (v) }>
      })"),
            "float32[*]");  // a loop may change the shape of what it carries
}

TEST(TypeInference, KnowsFusedOperators) {
  EXPECT_EQ(inferred(R"(<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>
      g (float[B, 8, 64] x, float[64, 96] w) => (y) {
        y = com.microsoft.FusedMatMul <transA = 1, alpha = 0.5> (x, x)
      })"),
            "float32[B,64,64]");
  EXPECT_EQ(inferred(R"(<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>
      g (float[1, 3, 32, 32] x, float[8, 3, 3, 3] w) => (y) {
        y = com.microsoft.FusedConv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)
      })"),
            "float32[1,8,16,16]");
}

TEST(TypeInference, LeavesUnknownOperatorsAlone) {
  EXPECT_EQ(inferred(R"(<ir_version: 10, opset_import: ["" : 21, "mine" : 1]>
      g (float[2] x) => (float[7] y) { y = mine.Twist (x) })"),
            "float32[7]");
}

TEST(TypeInference, NamesTheNodeOfAContradiction) {
  EXPECT_THAT(inferred(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[2, 3] x, float[4, 5] w) => (y) { [product] y = MatMul (x, w) })"),
              HasSubstr("node 'product' (MatMul)"));
}

}  // namespace
}  // namespace edgewright
