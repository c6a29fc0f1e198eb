#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llm/pre_tokenizer.h"
#include "llm/tokenizer.h"

namespace edgewright {
namespace {

using testing::ElementsAre;

constexpr const char* kByteLevel = R"({
  "added_tokens": [{"id": 6, "content": "<|end|>", "special": true}],
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "Ã": 5},
            "merges": ["a b", "Ġ ab"]}})";

std::unique_ptr<Tokenizer> open(const char* text) {
  auto tokenizer = open_tokenizer_json(text);
  EXPECT_TRUE(tokenizer.ok());
  return *std::move(tokenizer);
}

TEST(TokenizerJsonTest, MergesWithinWords) {
  const auto tokenizer = open(kByteLevel);
  EXPECT_THAT(tokenizer->encode("ab ab b", false), ElementsAre(3, 4, 2, 1));
  EXPECT_EQ(tokenizer->decode(std::vector<int>{3, 4, 2, 1}), "ab ab b");
}

TEST(TokenizerJsonTest, SpecialTokensAreSkippedInText) {
  const auto tokenizer = open(kByteLevel);
  EXPECT_THAT(tokenizer->encode("a<|end|>b", true), ElementsAre(0, 6, 1));
  EXPECT_EQ(tokenizer->decode(std::vector<int>{0, 6, 1}), "ab");
  EXPECT_EQ(tokenizer->find("<|end|>"), 6);
  EXPECT_EQ(tokenizer->size(), 7);
}

TEST(TokenizerJsonTest, UnknownPartsAreRefusedByName) {
  const auto wrong = open_tokenizer_json(R"({"model": {"type": "WordPiece"}})");
  EXPECT_EQ(wrong.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(wrong.error().message, testing::HasSubstr("WordPiece"));
  EXPECT_EQ(open_tokenizer_json("[").error().kind, ErrorKind::kBadInput);
}

TEST(PreTokenizerTest, BehavioursOfSplits) {
  const auto words = [](const std::string& behaviour, bool invert) {
    const Json json = {{"type", "Split"},
                       {"pattern", {{"Regex", "-"}}},
                       {"behavior", behaviour},
                       {"invert", invert}};
    const auto steps = parse_pre_tokenizer(json);
    EXPECT_TRUE(steps.ok());
    return pre_tokenize(*steps, "the-final--countdown", true);
  };
  // The examples of the `tokenizers` documentation of SplitDelimiterBehavior.
  EXPECT_THAT(words("Removed", false), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(words("Isolated", false), ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(words("MergedWithPrevious", false), ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(words("MergedWithNext", false), ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(words("Contiguous", false), ElementsAre("the", "-", "final", "--", "countdown"));
}

TEST(PreTokenizerTest, EveryByteHasACharacter) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(characters_to_bytes(bytes_to_characters(bytes)), bytes);
  EXPECT_EQ(bytes_to_characters(" "), "\xc4\xa0");
}

}  // namespace
}  // namespace edgewright
