#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/defs/parser.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx/onnx.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/schema_functions.h"

namespace edgewright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ExportOnnx : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) /
        (std::string("export_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "m.onnx").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static Model imported(const char* text) {
    onnx::ModelProto proto;
    onnx::OnnxParser parser(text);
    const auto status = parser.Parse(proto);
    EXPECT_TRUE(status.IsOK()) << status.ErrorMessage();
    const std::string bytes = proto.SerializeAsString();
    auto model = import_onnx_bytes(std::as_bytes(std::span(bytes)), "");
    EXPECT_TRUE(model.ok()) << model.error().message;
    return *std::move(model);
  }

  std::string bytes_of_file(const std::string& path) const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Exports, lets the ONNX checker look at it and returns the message.
  onnx::ModelProto exported(const Model& model, const ExportOptions& options = {}) {
    const auto status = export_onnx(model, path_, options);
    EXPECT_TRUE(status.ok()) << status.error().message;
    onnx::ModelProto proto;
    EXPECT_TRUE(proto.ParseFromString(bytes_of_file(path_)));
    EXPECT_NO_THROW(onnx::checker::check_model(path_, true));
    return proto;
  }

  static std::vector<std::string> operators(const onnx::ModelProto& proto) {
    std::vector<std::string> names;
    for (const auto& node : proto.graph().node()) names.push_back(node.op_type());
    return names;
  }

  std::filesystem::path folder_;
  std::string path_;
};

constexpr const char* kOld = R"(<ir_version: 4, opset_import: ["" : 9], producer_name: "p">
    g (float[N, 6] x) => (float[N, 2] y) <float[6, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}> {
      a = MatMul (x, w)
      b = Clip <min = -1.0, max = 1.0> (a)
      c = Slice <axes = [1], starts = [0], ends = [2]> (b)
      y = Softmax (c)
    })";

TEST_F(ExportOnnx, KeepsTheOpsetOfTheSource) {
  const Model model = imported(kOld);
  const auto proto = exported(model);
  EXPECT_EQ(proto.opset_import(0).version(), 9);
  EXPECT_EQ(proto.ir_version(), 4);
  EXPECT_EQ(proto.producer_name(), "p");
  EXPECT_THAT(operators(proto), ElementsAre("MatMul", "Clip", "Slice", "Softmax"));
  EXPECT_EQ(proto.graph().initializer_size(), 1);
  EXPECT_EQ(proto.graph().node(1).attribute_size(), 2);
  EXPECT_EQ(proto.graph().node(2).input_size(), 1);
}

TEST_F(ExportOnnx, SameModelGivesSameBytes) {
  const Model model = imported(kOld);
  exported(model);
  const std::string first = bytes_of_file(path_);
  exported(imported(kOld));
  EXPECT_EQ(first, bytes_of_file(path_));
}

TEST_F(ExportOnnx, EveryOpsetFromSevenOnIsWritten) {
  const Model model = imported(kOld);
  for (int opset = 7; opset <= 28; ++opset) {
    SCOPED_TRACE(opset);
    EXPECT_EQ(exported(model, {.opset = opset}).opset_import(0).version(), opset);
  }
}

TEST_F(ExportOnnx, LargeConstantsGoToAFileBesideTheModel) {
  const Model model = imported(kOld);
  const auto proto = exported(model, {.opset = 21, .external_threshold_bytes = 64});
  int external = 0;
  for (const auto& tensor : proto.graph().initializer()) {
    external += tensor.data_location() == onnx::TensorProto::EXTERNAL;
  }
  EXPECT_EQ(external, 1);
  EXPECT_EQ(std::filesystem::file_size(path_ + ".data"), 96u);
  auto again = import_onnx(path_);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->graph->find_value("w")->constant->elements<float>()[23], 24.0f);
}

TEST_F(ExportOnnx, ExpandsOperatorsThatAreYoungerThanTheOpset) {
  const Model model = imported(R"(<ir_version: 10, opset_import: ["" : 20]>
      g (float[2, 8] x, float[8] s) => (y) {
        a = Gelu (x)
        b = LayerNormalization (a, s)
        y = HardSwish (b)
      })");
  const auto proto = exported(model, {.opset = 13});
  EXPECT_THAT(operators(proto), testing::Not(testing::Contains("Gelu")));
  EXPECT_THAT(operators(proto), testing::Contains("Erf"));
  EXPECT_EQ(proto.graph().output(0).name(), "y");
}

TEST_F(ExportOnnx, NamesTheNodeThatAnOpsetCannotExpress) {
  const Model model = imported(R"(<ir_version: 10, opset_import: ["" : 20]>
      g (float[2, 8] x) => (y) { [wrapped] y = Pad <mode = "wrap"> (x, p) p = Constant <value_ints =
      [0, 1, 0, 1]> () })");
  const auto status = export_onnx(model, path_, {.opset = 13});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(status.error().message, HasSubstr("node 'wrapped' (Pad): mode 'wrap'"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ExportOnnx, SubgraphsKeepCapturedValuesAndConstants) {
  const Model model = imported(R"(<ir_version: 10, opset_import: ["" : 21, "mine" : 4]>
      g (bool c, float[2] x) => (float[2] y) {
        a = Relu (x)
        y = If (c) <then_branch = t () => (float[2] r) <float[2] k = {1, 2}> { r = Add (a, k) },
                    else_branch = e () => (float[2] r) { r = mine.Twist (a) }>
      })");
  const auto status = export_onnx(model, path_);
  ASSERT_TRUE(status.ok()) << status.error().message;
  auto again = import_onnx(path_);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(count_nodes(*again->graph), 4u);
  EXPECT_EQ(again->domain_versions.at("mine"), 4);
  EXPECT_TRUE(violations(*again->graph).empty());
}

TEST_F(ExportOnnx, AnOutputGivenTwiceGetsACopy) {
  Model model = imported(kOld);
  model.graph->add_output(model.graph->outputs()[0]);
  const auto proto = exported(model);
  ASSERT_EQ(proto.graph().output_size(), 2);
  EXPECT_EQ(proto.graph().output(0).name(), "y");
  EXPECT_NE(proto.graph().output(1).name(), "y");
}

TEST(SchemaFunctions, ExpandInPlaceAndKeepNames) {
  onnx::ModelProto proto;
  onnx::OnnxParser parser(R"(<ir_version: 10, opset_import: ["" : 24]>
      g (float[2, 8] x) => (float[2, 8] y) { a = Relu (x)  y = Swish (a) })");
  ASSERT_TRUE(parser.Parse(proto).IsOK());
  const std::string bytes = proto.SerializeAsString();
  auto model = import_onnx_bytes(std::as_bytes(std::span(bytes)), "");
  ASSERT_TRUE(model.ok());
  Graph& graph = *model->graph;
  Node& swish = graph.nodes().back();
  EXPECT_TRUE(has_function_body(swish));
  auto expanded = expand_function(graph, swish);
  ASSERT_TRUE(expanded.ok()) << expanded.error().message;
  EXPECT_TRUE(*expanded);
  EXPECT_TRUE(violations(graph).empty());
  EXPECT_EQ(graph.outputs()[0]->name, "y");
  EXPECT_EQ(type_text(graph.outputs()[0]->type), "float32[2,8]");
  EXPECT_GT(graph.nodes().size(), 2u);
  auto relu = expand_function(graph, graph.nodes().back());
  ASSERT_TRUE(relu.ok());
  EXPECT_FALSE(*relu);
}

}  // namespace
}  // namespace edgewright
