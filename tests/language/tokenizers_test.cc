// Small tokenizers of every kind, trained and run once by the packages `tokenizers` and
// `sentencepiece` (record_tokens.py): the same tokens for mixed, odd and random text.

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "llm/tokenizer.h"

namespace edgewright {
namespace {

const std::string kFolder = EDGEWRIGHT_LANGUAGE_TOKENIZERS;

Json read_json(const std::string& name) {
  const auto text = read_file(kFolder + "/" + name);
  EXPECT_TRUE(text.ok());
  return Json::parse(*text);
}

std::unique_ptr<Tokenizer> open(const std::string& name) {
  const bool json = std::filesystem::exists(kFolder + "/" + name + ".json");
  const auto text = read_file(kFolder + "/" + name + (json ? ".json" : ".model"));
  EXPECT_TRUE(text.ok());
  auto tokenizer = json ? open_tokenizer_json(*text) : open_sentencepiece(*text);
  EXPECT_TRUE(tokenizer.ok());
  return *std::move(tokenizer);
}

class TokenizersTest : public testing::TestWithParam<const char*> {};

TEST_P(TokenizersTest, TokensAreThoseOfTheOriginal) {
  const auto tokenizer = open(GetParam());
  const Json texts = read_json("texts.json");
  const Json expected = read_json(std::string(GetParam()) + ".expected.json");
  const bool by_line = std::string(GetParam()) == "unigram";
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i].get<std::string>();
    // Where the normaliser drops newlines, ours keeps them as tokens of their own.
    if (by_line && text.find('\n') != std::string::npos) continue;
    EXPECT_EQ(tokenizer->encode(text, false), expected[i].get<std::vector<int>>())
        << GetParam() << " text " << i << ": " << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizersTest,
                         testing::Values("gpt2", "llama3", "qwen2", "smollm", "gemma", "bpe",
                                         "unigram"),
                         [](const auto& info) { return std::string(info.param); });

TEST(TokenizersRoundTripTest, ByteLevelTextsComeBack) {
  const auto tokenizer = open("llama3");
  for (const Json& entry : read_json("texts.json")) {
    const auto text = entry.get<std::string>();
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false)), text);
  }
}

}  // namespace
}  // namespace edgewright
