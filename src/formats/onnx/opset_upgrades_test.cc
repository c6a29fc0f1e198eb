#include "formats/onnx/opset_upgrades.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/defs/parser.h>
#include <onnx/defs/schema.h>

#include <set>

#include "formats/onnx/onnx.h"

namespace edgewright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Changes that only extend an operator (types, inputs, attributes whose defaults keep the old
// meaning) or its text: a node of the version before means the same.
struct Extension {
  const char* domain;
  const char* op;
  std::vector<int> versions;
};
const std::vector<Extension> kExtensions = {
    {"", "Abs", {13}},
    {"", "Acos", {22}},
    {"", "Acosh", {22}},
    {"", "Add", {13, 14}},
    {"", "ArgMax", {11, 12, 13}},
    {"", "ArgMin", {11, 12, 13}},
    {"", "Asin", {22}},
    {"", "Asinh", {22}},
    {"", "Atan", {22}},
    {"", "Atanh", {22}},
    {"", "Attention", {24, 25}},
    {"", "AveragePool", {7, 10, 11, 19, 22}},
    {"", "BatchNormalization", {15}},
    {"", "Bernoulli", {22}},
    {"", "BitShift", {28}},
    {"", "Cast", {9, 13, 19, 21, 23, 24, 25, 28}},
    {"", "CastLike", {19, 21, 23, 24, 25}},
    {"", "Ceil", {13}},
    {"", "Celu", {28}},
    {"", "Clip", {12, 13}},
    {"", "Compress", {11, 28}},
    {"", "Concat", {11, 13}},
    {"", "Constant", {9, 11, 12, 13, 19, 21, 23, 24, 25}},
    {"", "ConstantOfShape", {20, 21, 23, 24, 25}},
    {"", "Conv", {11, 22}},
    {"", "ConvTranspose", {11, 22}},
    {"", "Cos", {22}},
    {"", "Cosh", {22}},
    {"", "CumSum", {14}},
    {"", "DeformConv", {22}},
    {"", "DepthToSpace", {11, 13, 28}},
    {"", "DequantizeLinear", {13, 19, 21, 23, 24, 25, 28}},
    {"", "Det", {22}},
    {"", "Div", {13, 14}},
    {"", "Dropout", {13, 22}},
    {"", "Einsum", {28}},
    {"", "Elu", {22}},
    {"", "Equal", {11, 13, 19}},
    {"", "Erf", {13}},
    {"", "Exp", {13}},
    {"", "Expand", {13}},
    {"", "EyeLike", {22}},
    {"", "Flatten", {9, 11, 13, 21, 23, 24, 25}},
    {"", "Floor", {13}},
    {"", "GRU", {3, 14, 22}},
    {"", "Gather", {11, 13}},
    {"", "GatherElements", {13}},
    {"", "GatherND", {12, 13}},
    {"", "Gemm", {6, 9, 11, 13}},
    {"", "GlobalAveragePool", {22}},
    {"", "GlobalLpPool", {22}},
    {"", "GlobalMaxPool", {22}},
    {"", "Greater", {9, 13}},
    {"", "GreaterOrEqual", {16}},
    {"", "GridSample", {22}},
    {"", "HardSigmoid", {22}},
    {"", "HardSwish", {22}},
    {"", "Hardmax", {11}},
    {"", "Identity", {13, 14, 16, 19, 21, 23, 24, 25}},
    {"", "If", {11, 13, 16, 19, 21, 23, 24, 25}},
    {"", "InstanceNormalization", {22}},
    {"", "IsInf", {20}},
    {"", "IsNaN", {13, 20}},
    {"", "LRN", {13}},
    {"", "LSTM", {14, 22}},
    {"", "LeakyRelu", {16}},
    {"", "Less", {9, 13}},
    {"", "LessOrEqual", {16}},
    {"", "Log", {13}},
    {"", "LogSoftmax", {11}},
    {"", "Loop", {11, 13, 16, 19, 21, 23, 24, 25}},
    {"", "LpNormalization", {22}},
    {"", "LpPool", {11, 18, 22}},
    {"", "MatMul", {9, 13}},
    {"", "Max", {8, 12, 13}},
    {"", "MaxPool", {8, 10, 11, 12, 22}},
    {"", "MaxRoiPool", {22}},
    {"", "MaxUnpool", {11, 22}},
    {"", "Mean", {8, 13}},
    {"", "MeanVarianceNormalization", {13}},
    {"", "Min", {8, 12, 13}},
    {"", "Mish", {22}},
    {"", "Mod", {13, 28}},
    {"", "Mul", {13, 14}},
    {"", "Multinomial", {22}},
    {"", "Neg", {13}},
    {"", "NegativeLogLikelihoodLoss", {13, 22}},
    {"", "NonMaxSuppression", {11}},
    {"", "NonZero", {13}},
    {"", "OneHot", {11, 28}},
    {"", "Optional", {28}},
    {"", "OptionalGetElement", {18, 28}},
    {"", "OptionalHasElement", {18, 28}},
    {"", "PRelu", {9, 16}},
    {"", "Pad", {13, 18, 19, 21, 23, 24, 25}},
    {"", "Pow", {12, 13, 15}},
    {"", "QLinearMatMul", {21}},
    {"", "QuantizeLinear", {13, 19, 21, 23, 24, 25, 28}},
    {"", "RNN", {14, 22}},
    {"", "RandomNormal", {22}},
    {"", "RandomNormalLike", {22}},
    {"", "RandomUniform", {22}},
    {"", "RandomUniformLike", {22}},
    {"", "Range", {27}},
    {"", "Reciprocal", {13}},
    {"", "ReduceL1", {11, 13}},
    {"", "ReduceL2", {11, 13}},
    {"", "ReduceLogSum", {11, 13, 28}},
    {"", "ReduceLogSumExp", {11, 13, 28}},
    {"", "ReduceMax", {11, 12, 13, 20}},
    {"", "ReduceMean", {11, 13}},
    {"", "ReduceMin", {11, 12, 13, 20}},
    {"", "ReduceProd", {11, 13}},
    {"", "ReduceSum", {11}},
    {"", "ReduceSumSquare", {11, 13}},
    {"", "Relu", {13, 14}},
    {"", "Reshape", {13, 14, 19, 21, 23, 24, 25}},
    {"", "Resize", {18, 19}},
    {"", "ReverseSequence", {28}},
    {"", "RoiAlign", {22}},
    {"", "Round", {22}},
    {"", "Scan", {11, 16, 19, 21, 23, 24, 25}},
    {"", "ScatterElements", {13, 16, 18}},
    {"", "ScatterND", {13, 16, 18}},
    {"", "Selu", {22}},
    {"", "Shape", {13, 15, 19, 21, 23, 24, 25}},
    {"", "Sigmoid", {13}},
    {"", "Sign", {13}},
    {"", "Sin", {22}},
    {"", "Sinh", {22}},
    {"", "Size", {13, 19, 21, 23, 24, 25}},
    {"", "Slice", {11, 13}},
    {"", "Softmax", {11}},
    {"", "SoftmaxCrossEntropyLoss", {13}},
    {"", "Softplus", {22}},
    {"", "Softsign", {22}},
    {"", "SpaceToDepth", {13, 28}},
    {"", "Split", {11}},
    {"", "SplitToSequence", {24}},
    {"", "Sqrt", {13}},
    {"", "Squeeze", {11, 21, 23, 24, 25}},
    {"", "Sub", {13, 14}},
    {"", "Sum", {8, 13}},
    {"", "Tan", {22}},
    {"", "Tanh", {13}},
    {"", "ThresholdedRelu", {22}},
    {"", "Tile", {13}},
    {"", "TopK", {11, 24}},
    {"", "Transpose", {13, 21, 23, 24, 25}},
    {"", "Unique", {28}},
    {"", "Unsqueeze", {11, 21, 23, 24, 25}},
    {"", "Where", {16}},
    {"ai.onnx.ml", "LabelEncoder", {4}},
    {"ai.onnx.ml", "TreeEnsembleClassifier", {3, 5}},
    {"ai.onnx.ml", "TreeEnsembleRegressor", {3, 5}},
};

TEST(OpsetUpgrades, EveryChangeOfAnOperatorIsConsidered) {
  std::map<std::pair<std::string, std::string>, std::set<int>> changes;
  for (const auto& schema : onnx::OpSchemaRegistry::get_all_schemas_with_history()) {
    changes[{schema.domain(), schema.Name()}].insert(schema.since_version());
  }
  for (auto& [key, versions] : changes) versions.erase(versions.begin());
  const auto take = [&](std::string_view domain, std::string_view op, int version) {
    EXPECT_EQ(changes[std::pair(std::string(domain), std::string(op))].erase(version), 1u)
        << op << " did not change in " << version << ", or has two rows";
  };
  for (const auto& row : onnx_io::upgrade_adapters()) {
    const bool experimental = row.op == "ImageScaler";  // never had a schema
    if (!experimental) take(row.domain, row.op, row.version);
  }
  for (const auto& row : kExtensions) {
    for (const int version : row.versions) take(row.domain, row.op, version);
  }
  for (const auto& [key, versions] : changes) {
    EXPECT_TRUE(versions.empty())
        << key.first << "::" << key.second << " changed in version " << *versions.begin()
        << ": add an upgrade adapter, or a row above if its meaning stayed";
  }
}

Result<Model> imported(const char* text) {
  onnx::ModelProto proto;
  onnx::OnnxParser parser(text);
  const auto status = parser.Parse(proto);
  EXPECT_TRUE(status.IsOK()) << status.ErrorMessage();
  const std::string bytes = proto.SerializeAsString();
  return import_onnx_bytes(std::as_bytes(std::span(bytes)), "");
}

std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> names;
  for_each_node(graph, [&](const Node& node) { names.push_back(node.op); });
  return names;
}

// Imports and checks what holds for every model; null when that fails.
std::unique_ptr<Graph> upgraded(const char* text) {
  auto model = imported(text);
  EXPECT_TRUE(model.ok()) << model.error().message;
  if (!model.ok()) return nullptr;
  EXPECT_THAT(violations(*model->graph), ElementsAre());
  EXPECT_EQ(model->graph->outputs()[0]->name, "y");
  return std::move(model->graph);
}

std::vector<int64_t> ints_at(const Node& node, size_t i) {
  return node.constant_input(i)->to_int64s().operator*();
}

TEST(OpsetUpgrades, AttributesBecomeInputs) {
  auto graph = upgraded(R"(<ir_version: 4, opset_import: ["" : 9]>
      g (float[4, 6] x) => (y) {
        a = Slice <axes = [1], starts = [1], ends = [5]> (x)
        b = Clip <min = -1.0, max = 1.0> (a)
        c = ReduceSum <axes = [0], keepdims = 0> (b)
        d = Unsqueeze <axes = [0]> (c)
        e = Pad <pads = [0, 1, 0, 1], value = 2.0> (d)
        y, i = TopK <k = 3, axis = 1> (e)
      })");
  ASSERT_NE(graph, nullptr);
  auto node = graph->nodes().begin();
  EXPECT_THAT(ints_at(*node, 1), ElementsAre(1));
  EXPECT_THAT(ints_at(*node, 2), ElementsAre(5));
  EXPECT_THAT(ints_at(*node, 3), ElementsAre(1));
  EXPECT_TRUE(node->attributes.empty());
  ++node;
  EXPECT_EQ(node->constant_input(1)->data<float>()[0], -1.0f);
  EXPECT_EQ(node->constant_input(2)->data<float>()[0], 1.0f);
  ++node;
  EXPECT_THAT(ints_at(*node, 1), ElementsAre(0));
  ++node;
  EXPECT_THAT(ints_at(*node, 1), ElementsAre(0));
  ++node;
  EXPECT_THAT(ints_at(*node, 1), ElementsAre(0, 1, 0, 1));
  EXPECT_EQ(node->constant_input(2)->data<float>()[0], 2.0f);
  EXPECT_THAT(ints_at(graph->nodes().back(), 1), ElementsAre(3));
  EXPECT_EQ(type_text(graph->outputs()[0]->type), "float32[1,3]");
}

TEST(OpsetUpgrades, SplitWithoutLengthsCountsItsOutputs) {
  auto graph = upgraded(R"(<ir_version: 7, opset_import: ["" : 13]>
      g (float[4, 6] x) => (y) { y, z = Split <axis = 1> (x) })");
  ASSERT_NE(graph, nullptr);
  EXPECT_EQ(graph->nodes().front().attributes.get_int("num_outputs", 0), 2);
}

TEST(OpsetUpgrades, SoftmaxOverTheLastAxisOnlyChangesItsAxis) {
  auto graph = upgraded(R"(<ir_version: 4, opset_import: ["" : 11]>
      g (float[N, 10] x) => (y) { y = Softmax (x) })");
  ASSERT_NE(graph, nullptr);
  EXPECT_THAT(operators(*graph), ElementsAre("Softmax"));
  EXPECT_EQ(graph->nodes().front().attributes.get_int("axis", 0), 1);
}

TEST(OpsetUpgrades, SoftmaxOverSeveralAxesIsFlattened) {
  auto graph = upgraded(R"(<ir_version: 4, opset_import: ["" : 11]>
      g (float[N, 3, 4] x) => (y) { y = Softmax <axis = 1> (x) })");
  ASSERT_NE(graph, nullptr);
  EXPECT_THAT(operators(*graph), ElementsAre("Flatten", "Shape", "Softmax", "Reshape"));
  EXPECT_EQ(type_text(graph->outputs()[0]->type), "float32[N,3,4]");
}

TEST(OpsetUpgrades, UpsampleBecomesResize) {
  auto graph = upgraded(R"(<ir_version: 4, opset_import: ["" : 7]>
      g (float[1, 1, 2, 2] x) => (y) {
        y = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 3.0]> (x)
      })");
  ASSERT_NE(graph, nullptr);
  const Node& node = graph->nodes().front();
  EXPECT_EQ(node.op, "Resize");
  EXPECT_EQ(node.input(1), nullptr);
  EXPECT_THAT(node.constant_input(2)->elements<float>(), ElementsAre(1, 1, 2, 3));
  EXPECT_EQ(node.attributes.get_string("coordinate_transformation_mode", ""), "asymmetric");
  EXPECT_EQ(node.attributes.get_string("nearest_mode", ""), "floor");
  EXPECT_EQ(type_text(graph->outputs()[0]->type), "float32[1,1,4,6]");
}

TEST(OpsetUpgrades, ImageScalerBecomesArithmetic) {
  auto graph = upgraded(R"(<ir_version: 3, opset_import: ["" : 7]>
      g (float[1, 2, 4, 4] x) => (y) { y = ImageScaler <bias = [1.0, -1.0], scale = 0.5> (x) })");
  ASSERT_NE(graph, nullptr);
  EXPECT_THAT(operators(*graph), ElementsAre("Mul", "Add"));
  EXPECT_EQ(type_text(graph->outputs()[0]->type), "float32[1,2,4,4]");
}

TEST(OpsetUpgrades, BatchedScanBecomesScanOfScan) {
  auto graph = upgraded(R"(<ir_version: 4, opset_import: ["" : 8]>
      g (float[1, 2] s, float[1, 3, 2] x) => (y, z) {
        y, z = Scan <num_scan_inputs = 1, body = b (float[2] sum, float[2] next) =>
            (float[2] out, float[2] row) { out = Add (sum, next)  row = Identity (out) }> (, s, x)
      })");
  ASSERT_NE(graph, nullptr);
  EXPECT_THAT(operators(*graph), ElementsAre("Scan", "Scan", "Add", "Identity"));
  EXPECT_EQ(graph->nodes().front().attributes.get_int("num_scan_inputs", 0), 2);
  EXPECT_EQ(type_text(graph->outputs()[0]->type), "float32[1,2]");
  EXPECT_EQ(type_text(graph->outputs()[1]->type), "float32[1,3,2]");
}

TEST(OpsetUpgrades, GroupNormalizationSpreadsScaleOverChannels) {
  auto graph = upgraded(R"(<ir_version: 8, opset_import: ["" : 18]>
      g (float[1, 6, 4] x, float[2] s, float[2] b) => (y) {
        y = GroupNormalization <num_groups = 2> (x, s, b)
      })");
  ASSERT_NE(graph, nullptr);
  const Node& node = graph->nodes().back();
  EXPECT_EQ(node.op, "GroupNormalization");
  EXPECT_EQ(type_text(node.inputs[1]->type), "float32[6]");
  EXPECT_EQ(type_text(node.inputs[2]->type), "float32[6]");
}

TEST(OpsetUpgrades, NodesOfFunctionsHaveTheOpsetOfTheFunction) {
  auto graph = upgraded(R"(<ir_version: 10, opset_import: ["" : 21, "f" : 1]>
      g (float[4, 6] x) => (y) { y = f.sum (x) }
      <domain: "f", opset_import: ["" : 11]>
      sum (x) => (y) { y = ReduceSum <axes = [1]> (x) })");
  ASSERT_NE(graph, nullptr);
  EXPECT_THAT(ints_at(graph->nodes().front(), 1), ElementsAre(1));
}

TEST(OpsetUpgrades, RefusesWhatHasNoNewForm) {
  auto model = imported(R"(<ir_version: 3, opset_import: ["" : 7]>
      g (float[1, 2, 3] x, float[2, 3] s) => (y) {
        [norm] y = BatchNormalization <spatial = 0> (x, s, s, s, s)
      })");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(model.error().message, HasSubstr("node 'norm' (BatchNormalization) of opset 7"));
}

}  // namespace
}  // namespace edgewright
