#include "kernels/reference/expect_tensor.h"
#include "kernels/strings/pattern.h"

namespace edgewright {
namespace {

using namespace reference;

bool matches(std::string_view pattern, std::string_view text) {
  const auto compiled = Pattern::compile(pattern);
  EXPECT_TRUE(compiled.ok()) << pattern;
  return compiled.ok() && compiled->matches(text);
}

TEST(Pattern, MatchesTheWholeText) {
  EXPECT_TRUE(matches("a|bc*", "bccc"));
  EXPECT_FALSE(matches("a|bc*", "xbccc"));
  EXPECT_TRUE(matches("(?i)[a-f]{2,3}", "aBC"));
  EXPECT_FALSE(matches("[a-f]{2,3}", "abcd"));
  EXPECT_TRUE(matches("\\w+@[^@\\s]+\\.com", "some_one@mail.example.com"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("^\\bword\\b$", "word"));
  EXPECT_TRUE(matches("gr\u00fc.e", "gr\u00fc\u00dfe"));
  EXPECT_TRUE(matches("x{,2}", "x{,2}"));
}

TEST(Pattern, NoPatternTakesExponentialTime) {
  EXPECT_FALSE(matches("(a*)*b", std::string(5000, 'a')));
  EXPECT_FALSE(matches("(a|aa)+$b", std::string(5000, 'a')));
}

TEST(Pattern, BrokenOrTooLargePatternsAreRefused) {
  for (const char* text : {"(", ")", "[a", "a**", "*a", "a{2,1}", "a{1001}", "[b-a]", "\\",
                           "((a{1000}){1000}){1000}"}) {
    expect_error(Pattern::compile(text), ErrorKind::kBadInput);
  }
  expect_error(Pattern::compile(std::string(1000, '(')), ErrorKind::kBadInput);
  expect_error(Pattern::compile("(?=a)"), ErrorKind::kUnsupported);
  expect_error(Pattern::compile("\\1"), ErrorKind::kUnsupported);
}

TEST(Strings, SplitPadsShorterRows) {
  const Tensor x = Tensor::strings({2}, {" a b  c ", "d"});
  const auto result = run_kernel("StringSplit", {x}, attributes_of({{"maxsplit", int64_t{1}}}), 2);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ((*result)[0].tensor().string_elements(),
            (std::vector<std::string>{"a", "b  c", "d", ""}));
  expect_tensor<int64_t>((*result)[1].tensor(), {2}, {2, 1});
}

TEST(Strings, NormalizerLeavesOneEmptyString) {
  const Attributes attributes = attributes_of(
      {{"stopwords", std::vector<std::string>{"Monday"}}, {"case_change_action", "UPPER"}});
  const Tensor x = Tensor::strings({1, 1}, {"monday"});
  const auto all = run_tensor("StringNormalizer", {x}, attributes);
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->dims(), (Dims{1, 1}));
  EXPECT_EQ(all->string_elements()[0], "");
}

TEST(Strings, TfIdfCountsSkippedBigrams) {
  const Attributes attributes = attributes_of({{"mode", "TF"},
                                               {"min_gram_length", int64_t{2}},
                                               {"max_gram_length", int64_t{2}},
                                               {"max_skip_count", int64_t{1}},
                                               {"ngram_counts", std::vector<int64_t>{0, 0}},
                                               {"ngram_indexes", std::vector<int64_t>{0, 1}},
                                               {"pool_int64s", std::vector<int64_t>{1, 2, 1, 3}}});
  expect_tensor<float>(
      run_tensor("TfIdfVectorizer", {Tensor::of<int32_t>({4}, {1, 2, 3, 1})}, attributes), {2},
      {1, 1});
}

}  // namespace
}  // namespace edgewright
