#include "split/profile_file.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "split/choose.h"
#include "split/sweep.h"

namespace edgewright {
namespace {

std::string written(const std::string& name, std::string_view text) {
  const std::string path = testing::TempDir() + name;
  EXPECT_TRUE(write_file(path, text).ok());
  return path;
}

constexpr std::string_view kHeading = "layer,edge_s,cloud_s,out_MB\n";

TEST(ProfileFile, ReadsAChain) {
  const auto problem = read_profile_file(written(
      "chain.csv",
      "# measured\nout_MB, layer,edge_s,cloud_s,weight_MB\r\n1,input,0,0,0\r\n0.5,a,2,1,3\n\n"
      "0.25,b,4,0.5,1\n"));
  ASSERT_TRUE(problem.ok()) << problem.error().message;
  EXPECT_TRUE(violations(*problem).empty());
  ASSERT_EQ(problem->layers.size(), 3U);
  EXPECT_EQ(problem->layers[2].name, "b");
  EXPECT_EQ(problem->layers[2].time_us, (std::vector<double>{4e6, 0.5e6}));
  EXPECT_EQ(problem->layers[1].weight_bytes, 3e6);
  ASSERT_EQ(problem->tensors.size(), 2U);
  EXPECT_EQ(problem->tensors[1].size_bytes, 5e5);
  EXPECT_EQ(problem->tensors[1].consumers, (std::vector<size_t>{2}));
}

// By hand: all on the device 6 s; after a: 2 + 0.5 MB x 8 / rate + 0.5; input: 8 / rate + 1.5. The
// first two meet at 4 / 3.5 Mbit/s, the last two at 4 Mbit/s.
TEST(ProfileFile, PlansAsByHand) {
  auto problem = read_profile_file(
      written("hand.csv", std::string(kHeading) + "input,0,0,1\na,2,1,0.5\nb,4,0.5,0\n"));
  ASSERT_TRUE(problem.ok()) << problem.error().message;
  problem->hops[0].us_per_byte = us_per_byte_at(2);
  const auto choice = choose_split(*problem, {});
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->best.cut, "a");
  EXPECT_NEAR(choice->best.cost.latency_us, 4.5e6, 1);
  ASSERT_TRUE(choice->runner_up.has_value());
  EXPECT_EQ(choice->runner_up->cut, "input");
  EXPECT_NEAR(choice->runner_up->cost.latency_us, 5.5e6, 1);
  const auto crossings = bandwidth_crossings(*problem, 0.01, 1000);
  ASSERT_TRUE(crossings.ok());
  ASSERT_EQ(crossings->size(), 2U);
  EXPECT_NEAR((*crossings)[0].mbit_per_s, 4 / 3.5, 1e-6);
  EXPECT_EQ((*crossings)[0].from, "output");
  EXPECT_EQ((*crossings)[0].to, "a");
  EXPECT_NEAR((*crossings)[1].mbit_per_s, 4, 1e-6);
  EXPECT_EQ((*crossings)[1].to, "input");
}

TEST(ProfileFile, RefusesWhatIsNoChainAndNamesTheLine) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "0 layers"},
      {"layer,edge_s,cloud_s\n", "out_MB"},
      {"layer,edge_s,cloud_s,out_MB,colour\n", "colour"},
      {std::string(kHeading) + "input,0,0,1\n", "1 layers"},
      {std::string(kHeading) + "conv,0,0,1\n", ":2: found layer 'conv'"},
      {std::string(kHeading) + "input,0,0,1\ninput,0,0,1\n", ":3: found layer 'input'"},
      {std::string(kHeading) + "input,0,0,1\na,-1,0,1\n", "'-1' in column edge_s"},
      {std::string(kHeading) + "input,0,0,1\na,1,nan,1\n", "'nan' in column cloud_s"},
      {std::string(kHeading) + "input,0,0,1\na,1,1\n", "found 3 columns"},
      {std::string(kHeading) + "input,0,0,1\na,1,1,1e999\n", "out_MB"},
  };
  for (const auto& [text, message] : cases) {
    const auto problem = read_profile_file(written("bad.csv", text));
    ASSERT_FALSE(problem.ok()) << text;
    EXPECT_EQ(problem.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(problem.error().message.find(message), std::string::npos) << problem.error().message;
  }
}

}  // namespace
}  // namespace edgewright
