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
