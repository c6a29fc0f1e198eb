// Small random models of every supported architecture, made and run once by transformers
// (record_logits.py): the logits of a text longer than the attention windows, as one prompt and
// token by token.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "edgewright/language.h"

namespace edgewright {
namespace {

// Of single logits, in fp32 throughout; and of all of them relative to their size with keys and
// values in fp16, as they are by default.
constexpr double kTolerance = 1e-3;
constexpr double kRelativeTolerance = 1e-3;

struct Expected {
  std::vector<int> tokens;
  std::vector<float> logits;
};

Expected read_expected(const std::string& folder) {
  const auto text = read_file(folder + "/expected.json");
  EXPECT_TRUE(text.ok());
  const Json json = Json::parse(*text);
  Expected expected;
  expected.tokens = json["tokens"].get<std::vector<int>>();
  for (const Json& row : json["logits"]) {
    for (const Json& value : row) expected.logits.push_back(value.get<float>());
  }
  return expected;
}

double relative_l2(const std::vector<float>& found, const std::vector<float>& expected) {
  double off = 0;
  double size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    off += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(off / size);
}

double largest_difference(const std::vector<float>& found, const std::vector<float>& expected) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double off = static_cast<double>(found[i]) - static_cast<double>(expected[i]);
    largest = std::max(largest, std::abs(off));
  }
  return largest;
}

class ArchitecturesTest : public testing::TestWithParam<std::string> {};

TEST_P(ArchitecturesTest, LogitsAreThoseOfTransformers) {
  const std::string folder = std::string(EDGEWRIGHT_LANGUAGE_MODELS) + "/" + GetParam();
  const Expected expected = read_expected(folder);
  LanguageOptions options;
  options.precision = "fp32";
  for (const char* cache : {"fp32", "fp16"}) {
    options.kv_cache = cache;
    auto model = LanguageModel::open(folder, options);
    ASSERT_TRUE(model.ok()) << model.error().message;
    for (const bool stepwise : {false, true}) {
      // LongRoPE chooses its factors by the length of the text so far, so earlier keys differ.
      if (stepwise && GetParam() == "phi3-long") continue;
      const auto logits = model->logits(expected.tokens, stepwise);
      ASSERT_TRUE(logits.ok());
      ASSERT_EQ(logits->size(), expected.logits.size());
      EXPECT_LT(relative_l2(*logits, expected.logits), kRelativeTolerance) << cache;
      if (options.kv_cache == "fp32") {
        EXPECT_LT(largest_difference(*logits, expected.logits), kTolerance);
      }
    }
  }
}

// Twice the same weights give what one set gives, whoever computes which token.
TEST(Perplexity, TakesTheSecondWeightsForTokensThatAreEasy) {
  const std::string folder = std::string(EDGEWRIGHT_LANGUAGE_MODELS) + "/llama";
  const std::vector<int> tokens = read_expected(folder).tokens;
  std::string text;
  for (const int token : tokens) text += std::to_string(token) + " ";
  const int window = (static_cast<int>(tokens.size()) - 1) / 2;
  LanguageOptions options;
  for (const auto& [precision, light_tokens] :
       {std::pair("fp32/fp32@0", 0), std::pair("fp32/fp32@1e9", 2 * window - 2)}) {
    options.precision = precision;
    auto model = LanguageModel::open(folder, options);
    ASSERT_TRUE(model.ok()) << model.error().message;
    const auto report = model->perplexity(text, {.window = window});
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->tokens, 2 * window);
    EXPECT_EQ(report->light_tokens, light_tokens);
    double total = 0;
    for (const int begin : {0, window}) {
      const std::vector<int> part(tokens.begin() + begin, tokens.begin() + begin + window);
      const auto logits = model->logits(part, true);
      ASSERT_TRUE(logits.ok());
      const size_t vocabulary = logits->size() / part.size();
      for (size_t i = 0; i < part.size(); ++i) {
        const float* const row = logits->data() + i * vocabulary;
        double sum = 0;
        for (size_t k = 0; k < vocabulary; ++k) sum += std::exp(static_cast<double>(row[k]));
        const auto next = static_cast<size_t>(tokens[static_cast<size_t>(begin) + i + 1]);
        total += std::log(sum) - static_cast<double>(row[next]);
      }
    }
    EXPECT_NEAR(report->perplexity, std::exp(total / (2 * window)), 1e-4 * report->perplexity);
  }
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(EDGEWRIGHT_LANGUAGE_MODELS)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Models, ArchitecturesTest, testing::ValuesIn(model_names()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace edgewright
