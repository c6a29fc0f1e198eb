// What the files beside the weights of a Hugging Face folder say, and what of it GGUF files keep.
// Without a tokenizer the text of the model is the numbers of its tokens.

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "edgewright/language.h"

namespace edgewright {
namespace {

namespace fs = std::filesystem;

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::path(testing::TempDir()) / ("language_folder_" + name);
    fs::remove_all(folder_);
    fs::copy(fs::path(EDGEWRIGHT_LANGUAGE_MODELS) / "llama", folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file((folder_ / name).string(), text).ok());
  }
  Result<GenerateReport> generate(const fs::path& path, GenerateOptions options) {
    EDGEWRIGHT_ASSIGN(LanguageModel model, LanguageModel::open(path.string()));
    options.measure_bandwidth = false;
    return model.generate(options);
  }
  Result<GenerateReport> chat(const std::vector<ChatMessage>& messages) {
    GenerateOptions options;
    options.chat = messages;
    options.max_tokens = 1;
    return generate(folder_, options);
  }

  fs::path folder_;
};

TEST_F(FolderTest, EndTokensOfGenerationConfigEndTheText) {
  GenerateOptions options;
  options.prompt = "5 6 7";
  options.max_tokens = 6;
  const auto whole = generate(folder_, options);
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  ASSERT_GE(whole->tokens.size(), 1U);
  const int end = whole->tokens[0];
  write("generation_config.json", R"({"eos_token_id": [2, )" + std::to_string(end) + "]}");
  const fs::path gguf = folder_ / "model.gguf";
  ASSERT_TRUE(convert_language_model(folder_.string(), gguf.string()).ok());
  for (const fs::path& path : {folder_, gguf}) {
    const auto ended = generate(path, options);
    ASSERT_TRUE(ended.ok()) << ended.error().message;
    EXPECT_EQ(ended->finish, "end") << path;
    EXPECT_TRUE(ended->tokens.empty()) << path;
  }
  write("generation_config.json", R"({"eos_token_id": "two"})");
  const auto damaged = generate(folder_, options);
  ASSERT_FALSE(damaged.ok());
  EXPECT_EQ(damaged.error().kind, ErrorKind::kBadInput);
}

// Letters are tokens of their own here, so that the number of tokens says which template it was.
TEST_F(FolderTest, ChatTemplatesAreReadFromWhereverTheyStand) {
  write("tokenizer.json", R"({"added_tokens": [], "decoder": {"type": "ByteLevel"},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2}, "merges": []}})");
  const auto tokens = [&] {
    const auto made = chat({{"user", "a"}});
    return made.ok() ? made->prompt_tokens : -1;
  };
  write("tokenizer_config.json", R"({"chat_template": "{{ messages[0].content }}b"})");
  EXPECT_EQ(tokens(), 2);
  write("tokenizer_config.json", R"({"chat_template": [{"name": "tools", "template": "a"},
    {"name": "default", "template": "{{ messages[0].content }}bc"}]})");
  EXPECT_EQ(tokens(), 3);
  write("chat_template.jinja", "{{ messages[0].content }}bcb\n");
  EXPECT_EQ(tokens(), 4);
  write("chat_template.jinja", "{{ messages[0].content ");
  EXPECT_EQ(chat({{"user", "a"}}).error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
