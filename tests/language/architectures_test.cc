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

// Of logits of fp32 arithmetic with keys and values in fp16; relative to their size.
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

class ArchitecturesTest : public testing::TestWithParam<std::string> {};

TEST_P(ArchitecturesTest, LogitsAreThoseOfTransformers) {
  const std::string folder = std::string(EDGEWRIGHT_LANGUAGE_MODELS) + "/" + GetParam();
  const Expected expected = read_expected(folder);
  LanguageOptions options;
  options.precision = "fp32";
  auto model = LanguageModel::open(folder, options);
  ASSERT_TRUE(model.ok()) << model.error().message;
  const auto whole = model->logits(expected.tokens);
  ASSERT_TRUE(whole.ok());
  ASSERT_EQ(whole->size(), expected.logits.size());
  EXPECT_LT(relative_l2(*whole, expected.logits), kRelativeTolerance);
  // LongRoPE chooses its factors by the length of the text so far, so earlier keys differ.
  if (GetParam() == "phi3-long") return;
  const auto stepwise = model->logits(expected.tokens, true);
  ASSERT_TRUE(stepwise.ok());
  EXPECT_LT(relative_l2(*stepwise, expected.logits), kRelativeTolerance);
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
