#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "serve/repository/layout.h"
#include "serve/repository/text_format.h"

namespace edgewright {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(TextFormat, ReadsEveryForm) {
  const auto message = parse_text_format(R"(
    name: "a\"b" 'c'  # a comment
    dims: [ 1, -1, 224 ]
    dims: 3
    group [ { kind: KIND_CPU, count: 2 }, < kind: KIND_AUTO > ];
    nested { deeper: { flag: true } }
    empty: []
  )");
  ASSERT_TRUE(message.ok()) << message.error().message;
  EXPECT_EQ(message->find("name")->value, "a\"bc");
  std::vector<int64_t> dims;
  for (const TextField& field : message->fields) {
    if (field.name == "dims") dims.push_back(*integer_value(field));
  }
  EXPECT_EQ(dims, (std::vector<int64_t>{1, -1, 224, 3}));
  EXPECT_EQ(message->find("group")->message[0].find("kind")->value, "KIND_AUTO");
  const TextField* flag =
      message->find("nested")->message[0].find("deeper")->message[0].find("flag");
  EXPECT_TRUE(*boolean_value(*flag));
  EXPECT_EQ(message->find("empty"), nullptr);
}

TEST(TextFormat, NamesTheLineOfWhatIsWrong) {
  for (const char* text : {"a: 1\nb {", "a: 1\nb \"x\"", "\n: 3", "\na: \"x", "\na: \"\\q\"",
                           "\na: [1 2]", "\na:", "\n}"}) {
    const auto message = parse_text_format(text);
    ASSERT_FALSE(message.ok()) << text;
    EXPECT_THAT(message.error().message, HasSubstr("line 2")) << text;
  }
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "a {";
  EXPECT_FALSE(parse_text_format(deep).ok());
}

TEST(ServingConfig, ReadsWhatMatters) {
  const auto config = read_serving_config(R"(
    name: "net" platform: "onnxruntime_onnx" max_batch_size: 8
    input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, -1 ] } ]
    output [ { name: "y" data_type: TYPE_STRING dims: [ 1 ] } ]
    dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100
      default_queue_policy { max_queue_size: 16 default_timeout_microseconds: 5000 } }
    instance_group [ { count: 2 kind: KIND_CPU } ]
    version_policy { specific { versions: [ 1, 3 ] } }
    parameters { key: "k" value { string_value: "v" } }
    model_warmup { name: "w" }
  )");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->max_batch_size, 8);
  EXPECT_EQ(config->batching.max_rows, 8);
  EXPECT_EQ(config->batching.preferred_rows, (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(config->batching.max_queue, 16u);
  EXPECT_EQ(config->batching.max_delay_us, 100);
  EXPECT_EQ(config->default_timeout_us, 5000);
  EXPECT_EQ(config->instances, 2);
  EXPECT_EQ(config->versions.specific, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(config->parameters.at("k"), "v");
  EXPECT_EQ(config->warnings.size(), 1u);
  const std::vector<ServedPort> x = {{"x", DType::kFloat32, false, {-1, 3, 5}}};
  const std::vector<ServedPort> y = {{"y", DType::kString, false, {-1, 1}}};
  EXPECT_TRUE(check_ports(*config, x, y).ok());
  EXPECT_FALSE(check_ports(*config, y, x).ok());
  const std::vector<ServedPort> fixed = {{"x", DType::kFloat32, false, {1, 3, 5}}};
  EXPECT_THAT(check_ports(*config, fixed, y).error().message, HasSubstr("first dimension"));
}

TEST(ServingConfig, RefusesWhatWouldChangeAnswers) {
  EXPECT_EQ(read_serving_config("ensemble_scheduling { }").error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(read_serving_config("sequence_batching { }").error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(read_serving_config("platform: \"tensorrt_plan\"").error().kind,
            ErrorKind::kUnsupported);
  EXPECT_EQ(read_serving_config("instance_group [{ kind: KIND_GPU }]").error().kind,
            ErrorKind::kUnsupported);
  EXPECT_EQ(read_serving_config("no_such_field: 1").error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(read_serving_config("dynamic_batching { }").error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(read_serving_config("default_model_filename: \"../x\"").error().kind,
            ErrorKind::kBadInput);
}

class Layout : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "edgewright_" +
            testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  void add(const std::string& file, const std::string& text = "") {
    fs::create_directories(fs::path(root_ + "/" + file).parent_path());
    ASSERT_TRUE(write_file(root_ + "/" + file, text).ok());
  }
  std::string root_;
};

TEST_F(Layout, FindsModelsVersionsAndPolicies) {
  add("net/1/model.onnx");
  add("net/10/model.ewplan");
  add("net/2/model.onnx");
  add("net/notes/readme");
  add("words/1/model.ewlm");
  add(".git/1/model.onnx");
  EXPECT_EQ(*model_names(root_), (std::vector<std::string>{"net", "words"}));
  auto folder = read_model_folder(root_, "net");
  ASSERT_TRUE(folder.ok()) << folder.error().message;
  ASSERT_EQ(folder->versions.size(), 3u);
  EXPECT_EQ(folder->versions[2].number, 10);
  EXPECT_EQ(chosen_versions(*folder)->front().number, 10);
  folder->config.versions.latest = 0;
  EXPECT_EQ(chosen_versions(*folder)->size(), 3u);
  folder->config.versions.specific = {2, 7};
  EXPECT_FALSE(chosen_versions(*folder).ok());
  EXPECT_TRUE(read_model_folder(root_, "words")->versions[0].is_language);
}

TEST_F(Layout, RefusesNamesThatLeaveTheRepository) {
  add("net/1/model.onnx");
  for (const char* name : {"", ".", "..", "../net", "net/1", "none"}) {
    EXPECT_FALSE(read_model_folder(root_, name).ok()) << name;
  }
  add("net/config.pbtxt", "name: \"other\"");
  EXPECT_FALSE(read_model_folder(root_, "net").ok());
  add("empty/1/nothing");
  EXPECT_FALSE(read_model_folder(root_, "empty").ok());
  EXPECT_FALSE(model_names(root_ + "/missing").ok());
}

}  // namespace
}  // namespace edgewright
