#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llm/sentencepiece_model.h"
#include "llm/text_stream.h"
#include "llm/tokenizer.h"

namespace edgewright {
namespace {

using testing::ElementsAre;

// Pieces 0 <unk>, 1 <s>, 2 </s>, 3.. bytes, then words. Later pieces have lower scores, as training
// makes them.
SentencePieceModel small_model(bool unigram) {
  SentencePieceModel model;
  model.unigram = unigram;
  model.byte_fallback = true;
  model.pieces = {{"<unk>", 0, SentencePieceModel::kUnknown},
                  {"<s>", 0, SentencePieceModel::kControl},
                  {"</s>", 0, SentencePieceModel::kControl}};
  for (int i = 0; i < 256; ++i) {
    model.pieces.push_back({fmt::format("<0x{:02X}>", i), 0, SentencePieceModel::kByte});
  }
  float score = -1;
  for (const char* text : {"\u2581a", "ab", "\u2581", "a", "b", "c"}) {
    model.pieces.push_back({text, score--, SentencePieceModel::kNormal});
  }
  return model;
}

std::unique_ptr<Tokenizer> open(const SentencePieceModel& model) {
  auto tokenizer = open_sentencepiece(serialise_sentencepiece(model));
  EXPECT_TRUE(tokenizer.ok());
  return *std::move(tokenizer);
}

TEST(SentencePieceTest, MergesByScore) {
  const auto tokenizer = open(small_model(false));
  // "_a" has the best score, so the a is taken before "ab" can be.
  EXPECT_THAT(tokenizer->encode("ab", false), ElementsAre(259, 263));
  EXPECT_THAT(tokenizer->encode("cab", false), ElementsAre(261, 264, 260));
}

TEST(SentencePieceTest, UnigramTakesTheBestSum) {
  const auto tokenizer = open(small_model(true));
  // "_a" + "b": -1 - 5; "_" + "ab": -3 - 2.
  EXPECT_THAT(tokenizer->encode("ab", false), ElementsAre(261, 260));
}

TEST(SentencePieceTest, UnknownCharactersBecomeBytesAndComeBack) {
  const auto tokenizer = open(small_model(false));
  const std::string text = "a \xf0\x9f\x98\x80 c";
  const std::vector<int> tokens = tokenizer->encode(text, false);
  EXPECT_EQ(tokenizer->decode(tokens), text);
  EXPECT_EQ(tokens.size(), 8u);
}

TEST(SentencePieceTest, SpecialTokensOnlyWhereAskedFor) {
  const auto tokenizer = open(small_model(false));
  EXPECT_THAT(tokenizer->encode("</s>a", true), ElementsAre(2, 259));
  EXPECT_GT(tokenizer->encode("</s>a", false).size(), 2u);
  EXPECT_TRUE(tokenizer->is_special(2));
}

TEST(SentencePieceTest, DamageIsRefused) {
  const std::string good = serialise_sentencepiece(small_model(false));
  EXPECT_EQ(open_sentencepiece(good.substr(0, good.size() - 1)).error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(open_sentencepiece("").error().kind, ErrorKind::kBadInput);
  SentencePieceModel model = small_model(false);
  model.character_map = std::string(16, '\xff');
  EXPECT_EQ(open_sentencepiece(serialise_sentencepiece(model)).error().kind, ErrorKind::kBadInput);
}

// Found by mutating files: a sign in place of a digit made a place far outside of the table.
TEST(SentencePieceTest, BytePiecesHaveTwoDigits) {
  EXPECT_EQ(byte_of({"<0x0A>", 0, SentencePieceModel::kByte}), 10);
  EXPECT_EQ(byte_of({"<0xff>", 0, SentencePieceModel::kByte}), 255);
  EXPECT_EQ(byte_of({"<0x0A>", 0, SentencePieceModel::kNormal}), -1);
  for (const char* text : {"<0x-1>", "<0x+1>", "<0x 1>", "<0xG0>", "<0x1G>", "-0x10>", "<0x1>"}) {
    EXPECT_EQ(byte_of({text, 0, SentencePieceModel::kByte}), -1) << text;
    SentencePieceModel model = small_model(false);
    model.pieces.push_back({text, 0, SentencePieceModel::kByte});
    EXPECT_FALSE(open(model)->encode("ab \xff", true).empty());
  }
}

TEST(TextStreamTest, HoldsBackHalfCharactersAndStopStrings) {
  const auto tokenizer = open(small_model(false));
  TextStream stream(*tokenizer, {"bc"}, true);
  EXPECT_EQ(stream.add(3 + 0xc3), "");
  EXPECT_EQ(stream.add(3 + 0xa9), "\xc3\xa9");
  EXPECT_EQ(stream.add(263), "");  // b may begin the stop string
  EXPECT_EQ(stream.add(262), "ba");
  EXPECT_EQ(stream.add(263), "");
  EXPECT_EQ(stream.add(264), "");
  EXPECT_TRUE(stream.stopped());
}

}  // namespace
}  // namespace edgewright
