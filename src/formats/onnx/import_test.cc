#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/defs/parser.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx/onnx.h"
#include "formats/onnx/proto.h"
#include "graph/graph.h"

namespace edgewright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

onnx::ModelProto parsed(const char* text) {
  onnx::ModelProto proto;
  onnx::OnnxParser parser(text);
  const auto status = parser.Parse(proto);
  EXPECT_TRUE(status.IsOK()) << status.ErrorMessage();
  return proto;
}

Result<Model> imported(const onnx::ModelProto& proto, const ImportOptions& options = {},
                       const std::string& folder = "") {
  const std::string bytes = proto.SerializeAsString();
  return import_onnx_bytes(std::as_bytes(std::span(bytes)), folder, options);
}

Result<Model> imported(const char* text, const ImportOptions& options = {}) {
  return imported(parsed(text), options);
}

std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> names;
  for_each_node(graph, [&](const Node& node) { names.push_back(node.op); });
  return names;
}

TEST(ImportOnnx, ReadsNodesConstantsAndTypes) {
  auto model = imported(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[N, 2] x) => (float[N, 2] y) <float[2] w = {1.5, -2}> {
        c = Constant <value_ints: ints = [1, 2]> ()
        s = Add (x, w)
        y = Relu (s)
      })");
  ASSERT_TRUE(model.ok()) << model.error().message;
  Graph& graph = *model->graph;
  EXPECT_TRUE(violations(graph).empty());
  EXPECT_THAT(operators(graph), ElementsAre("Add", "Relu"));
  EXPECT_EQ(model->source_opset, 21);
  ASSERT_EQ(graph.inputs().size(), 1u);
  EXPECT_EQ(type_text(graph.inputs()[0]->type), "float32[N,2]");
  const Tensor* w = graph.nodes().front().constant_input(1);
  ASSERT_NE(w, nullptr);
  EXPECT_THAT(w->elements<float>(), ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(graph.find_value("c")->constant->elements<int64_t>(), ElementsAre(1, 2));
  EXPECT_EQ(graph.outputs()[0]->name, "y");
}

constexpr const char* kListedInitialiser = R"(<ir_version: 3, opset_import: ["" : 21]>
    g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add (x, w) })";

TEST(ImportOnnx, ListedInitialiserIsAConstant) {
  auto model = imported(kListedInitialiser);
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->graph->inputs().size(), 1u);
}

TEST(ImportOnnx, ListedInitialiserStaysAnInputOnRequest) {
  auto model = imported(kListedInitialiser, {.keep_initializer_inputs = true});
  ASSERT_TRUE(model.ok());
  ASSERT_EQ(model->graph->inputs().size(), 2u);
  EXPECT_TRUE(model->graph->inputs()[1]->is_constant());
}

TEST(ImportOnnx, BranchThatGivesAnOuterValueGetsAnIdentity) {
  auto model = imported(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (bool c, float[2] x) => (float[2] y) {
        a = Relu (x)
        y = If (c) <then_branch = t () => (float[2] a) {},
                    else_branch = e () => (float[2] b) { b = Neg (a) }>
      })");
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_TRUE(violations(*model->graph).empty());
  EXPECT_THAT(operators(*model->graph), ElementsAre("Relu", "If", "Neg", "Identity"));
}

TEST(ImportOnnx, SortsNodesThatStandBeforeTheirProducers) {
  auto proto = parsed(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[2] x) => (float[2] y) { a = Relu (x)  y = Neg (a) })");
  proto.mutable_graph()->mutable_node()->SwapElements(0, 1);
  auto model = imported(proto);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_TRUE(violations(*model->graph).empty());
  EXPECT_THAT(operators(*model->graph), ElementsAre("Relu", "Neg"));
}

constexpr const char* kFunctions = R"(<ir_version: 10, opset_import: ["" : 21, "f" : 1]>
    g (float[2] x) => (float[2] y, float[2] z) {
      a = f.outer <slope = 0.25> (x)
      y = Relu (a)
      z = f.outer (a)
    }
    <domain: "f", opset_import: ["" : 21, "f" : 1]>
    outer <slope: float = 0.5> (x) => (y) { t = f.inner <k: float = @slope> (x)  y = Abs (t) }
    <domain: "f", opset_import: ["" : 21]>
    inner <k> (x) => (y) { y = LeakyRelu <alpha: float = @k> (x) })";

TEST(ImportOnnx, InlinesNestedFunctionsWithAttributes) {
  auto model = imported(kFunctions);
  ASSERT_TRUE(model.ok()) << model.error().message;
  Graph& graph = *model->graph;
  EXPECT_TRUE(violations(graph).empty());
  EXPECT_THAT(operators(graph), ElementsAre("LeakyRelu", "Abs", "Relu", "LeakyRelu", "Abs"));
  EXPECT_EQ(graph.nodes().front().attributes.get_float("alpha", 0), 0.25f);
  EXPECT_EQ(graph.outputs()[1]->producer->inputs[0]->producer->attributes.get_float("alpha", 0),
            0.5f);
  EXPECT_EQ(graph.outputs()[0]->name, "y");
  EXPECT_EQ(graph.outputs()[1]->name, "z");
}

TEST(ImportOnnx, RefusesRecursiveFunctions) {
  auto model = imported(R"(<ir_version: 10, opset_import: ["" : 21, "f" : 1]>
      g (float[2] x) => (float[2] y) { y = f.loop (x) }
      <domain: "f", opset_import: ["f" : 1]> loop (x) => (y) { y = f.loop (x) })");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(model.error().message, HasSubstr("calls itself"));
}

TEST(ImportOnnx, RefusesUndefinedAndDuplicateNames) {
  auto undefined = imported(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[2] x) => (float[2] y) { y = Add (x, w) })");
  ASSERT_FALSE(undefined.ok());
  EXPECT_THAT(undefined.error().message, HasSubstr("'w' is used but never defined"));
  auto duplicate = imported(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[2] x) => (float[2] y) { y = Relu (x)  y = Neg (x) })");
  ASSERT_FALSE(duplicate.ok());
  EXPECT_EQ(duplicate.error().kind, ErrorKind::kBadInput);
}

TEST(ImportOnnx, RefusesGarbageAndNewerOpsets) {
  const std::string garbage = "not a model at all";
  const auto bytes = std::as_bytes(std::span(garbage));
  EXPECT_EQ(import_onnx_bytes(bytes, "").error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(import_onnx_bytes({}, "").error().kind, ErrorKind::kBadInput);
  auto newer = imported(R"(<ir_version: 10, opset_import: ["" : 99]>
      g (float[2] x) => (float[2] y) { y = Relu (x) })");
  EXPECT_EQ(newer.error().kind, ErrorKind::kUnsupported);
}

TEST(ImportOnnx, UnknownOperatorsStayAsTheyAre) {
  auto model = imported(R"(<ir_version: 10, opset_import: ["" : 21, "my.domain" : 3]>
      g (float[2] x) => (float[2] y) { y = my.domain.Twist <turns = 3> (x, , x) })");
  ASSERT_TRUE(model.ok()) << model.error().message;
  const Node& node = model->graph->nodes().front();
  EXPECT_EQ(node.domain, "my.domain");
  EXPECT_EQ(node.attributes.get_int("turns", 0), 3);
  ASSERT_EQ(node.inputs.size(), 3u);
  EXPECT_EQ(node.inputs[1], nullptr);
  EXPECT_EQ(model->domain_versions.at("my.domain"), 3);
}

TEST(ImportOnnx, TensorSizesMustMatchTheirShape) {
  auto proto = parsed(kListedInitialiser);
  auto* tensor = proto.mutable_graph()->mutable_initializer(0);
  tensor->set_dims(0, 3);
  EXPECT_THAT(imported(proto).error().message, HasSubstr("takes 3"));
  tensor->set_dims(0, INT64_MAX);
  EXPECT_EQ(imported(proto).error().kind, ErrorKind::kBadInput);
  tensor->set_dims(0, 2);
  tensor->set_data_type(99);
  EXPECT_THAT(imported(proto).error().message, HasSubstr("element type number 99"));
}

TEST(ImportOnnx, SparseInitialisersBecomeDense) {
  auto proto = parsed(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[2, 2] x) => (float[2, 2] y) { y = Add (x, w) })");
  auto* sparse = proto.mutable_graph()->add_sparse_initializer();
  onnx_io::to_tensor_proto(Tensor::of<float>({1}, {7}), *sparse->mutable_values());
  sparse->mutable_values()->set_name("w");
  onnx_io::to_tensor_proto(Tensor::of<int64_t>({1, 2}, {1, 0}), *sparse->mutable_indices());
  sparse->add_dims(2);
  sparse->add_dims(2);
  auto model = imported(proto);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_THAT(model->graph->find_value("w")->constant->elements<float>(), ElementsAre(0, 0, 7, 0));
}

// ---- external data ----

class ExternalDataTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_ / "model");
    std::ofstream(folder_ / "model" / "w.bin") << std::string(64, 'a');
    std::ofstream(folder_ / "secret.bin") << std::string(64, 'b');
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  using Entries = std::map<std::string, std::string>;
  Result<Model> load(const std::vector<Entries>& tensors) {
    onnx::ModelProto proto = parsed(R"(<ir_version: 10, opset_import: ["" : 21]>
        g (float[2] x) => (float[2] y) { y = Relu (x) })");
    for (size_t i = 0; i < tensors.size(); ++i) {
      auto* tensor = proto.mutable_graph()->add_initializer();
      tensor->set_name("w" + std::to_string(i));
      tensor->set_data_type(1);
      tensor->add_dims(4);
      tensor->set_data_location(onnx::TensorProto::EXTERNAL);
      for (const auto& [key, value] : tensors[i]) {
        auto* entry = tensor->add_external_data();
        entry->set_key(key);
        entry->set_value(value);
      }
    }
    return imported(proto, {}, (folder_ / "model").string());
  }
  void expect_refusal(const std::vector<Entries>& tensors, const char* reason) {
    auto model = load(tensors);
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(model.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(model.error().message, HasSubstr(reason));
  }
  std::filesystem::path folder_;
};

TEST_F(ExternalDataTest, MapsRangesBesideTheModel) {
  auto model = load({{{"location", "w.bin"}, {"offset", "16"}, {"length", "16"}},
                     {{"location", "w.bin"}, {"offset", "32"}}});
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->graph->find_value("w0")->constant->byte_span()[0], std::byte{'a'});
}

TEST_F(ExternalDataTest, RefusesRangesThatOverlapOrEndOutside) {
  expect_refusal(
      {{{"location", "w.bin"}, {"offset", "0"}}, {{"location", "w.bin"}, {"offset", "8"}}},
      "overlap");
  expect_refusal({{{"location", "w.bin"}, {"offset", "56"}}}, "only 64 bytes");
  expect_refusal({{{"location", "w.bin"}, {"offset", "18446744073709551608"}}}, "only 64 bytes");
  expect_refusal({{{"location", "w.bin"}, {"offset", "99999999999999999999999"}}}, "not a number");
  expect_refusal({{{"location", "w.bin"}, {"offset", "-4"}}}, "not a number");
  expect_refusal({{{"location", "w.bin"}, {"length", "17"}}}, "takes 16 bytes");
}

TEST_F(ExternalDataTest, RefusesPathsThatLeaveTheFolder) {
  expect_refusal({{{"location", "../secret.bin"}}}, "leaves the model's folder");
  expect_refusal({{{"location", (folder_ / "secret.bin").string()}}}, "not a path relative");
  expect_refusal({{{"location", "missing.bin"}}}, "cannot open");
  std::filesystem::create_symlink(folder_ / "secret.bin", folder_ / "model" / "link.bin");
  expect_refusal({{{"location", "link.bin"}}}, "leaves the model's folder");
  expect_refusal({{}}, "without a location");
}

}  // namespace
}  // namespace edgewright
