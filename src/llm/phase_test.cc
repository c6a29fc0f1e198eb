#include "llm/phase.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace edgewright {
namespace {

TEST(EnginePhase, IsWrittenAsGovernorsReadIt) {
  const auto path = std::filesystem::temp_directory_path() / "edgewright_phase_test";
  std::filesystem::remove(path);
  const auto tell = phase_file(path.string());
  ASSERT_TRUE(tell.ok());
  const auto words = [&path] {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  };
  (*tell)({.kind = EnginePhase::Kind::kPrefill, .tokens = 512});
  EXPECT_TRUE(words().starts_with("prefill 512 "));
  (*tell)({.kind = EnginePhase::Kind::kDecode, .batch = 3, .context = 130.4});
  EXPECT_TRUE(words().starts_with("decode 3 130 "));
  (*tell)({});
  EXPECT_EQ(words().find_last_not_of(" \n"), 3);
  std::filesystem::remove(path);
  EXPECT_FALSE(phase_file("/nowhere/at/all").ok());
}

TEST(EngineAdvice, IsReadOrLeft) {
  const auto advice = parse_advice("batch 3 duty 0.5 threads 2");
  ASSERT_TRUE(advice.ok());
  EXPECT_EQ(advice->batch, 3);
  EXPECT_EQ(advice->duty, 0.5);
  EXPECT_EQ(advice->threads, 2);
  EXPECT_EQ(parse_advice("")->duty, 1);
  EXPECT_FALSE(advice->beside.has_value());
  EXPECT_FALSE(advice->stages.has_value());
  const auto more = parse_advice("stages 0-1/4 beside 8");
  ASSERT_TRUE(more.ok());
  EXPECT_EQ(more->beside, 8);
  EXPECT_EQ(more->stages, (StageCpus{{0, 1}, {4}}));
  EXPECT_TRUE(parse_advice("stages none")->stages->empty());
  for (const char* text :
       {"batch", "batch x", "batch -1", "duty 0", "duty 2", "threads -1", "rest 1", "duty nan",
        "beside", "beside -1", "beside x", "stages", "stages 0", "stages 0/0"}) {
    EXPECT_FALSE(parse_advice(text).ok()) << text;
  }
  const auto path = std::filesystem::temp_directory_path() / "edgewright_advice_test";
  std::ofstream(path) << "duty 0.25 batch 2\n";
  const auto read = advice_file(path.string());
  EXPECT_EQ(read().batch, 2);
  std::ofstream(path) << "nonsense\n";
  EXPECT_EQ(advice_file(path.string())().batch, 0);
  std::filesystem::remove(path);
  EXPECT_EQ(read().duty, 0.25);
}

TEST(EnginePhase, SmallChangesOfContextAreNone) {
  const EnginePhase a{.kind = EnginePhase::Kind::kDecode, .batch = 1, .context = 10};
  EnginePhase b = a;
  b.context = 200;
  EXPECT_TRUE(a.alike(b));
  b.context = 300;
  EXPECT_FALSE(a.alike(b));
}

}  // namespace
}  // namespace edgewright
