#include "power/early_stopping.h"

#include <gtest/gtest.h>

#include <cmath>

namespace edgewright {
namespace {

// MLPerf inference rules, appendix on early stopping: queries needed with 0, 1, 2 and 5 of them
// above the claimed latency.
TEST(EarlyStopping, NeedsTheCountsOfMlperf) {
  const PercentileClaim p90{.percentile = 0.90}, p99{.percentile = 0.99};
  const int64_t over[] = {0, 1, 2, 5};
  const int64_t at_90[] = {44, 64, 81, 127}, at_99[] = {459, 662, 838, 1307};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(required_queries(p90, over[i]), at_90[i]);
    EXPECT_EQ(required_queries(p99, over[i]), at_99[i]);
  }
}

TEST(EarlyStopping, RefusesClaimsFromTooFewQueries) {
  const auto refused = allowed_over({.percentile = 0.99}, 458);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kCheckFailed);
  EXPECT_NE(refused.error().message.find("459"), std::string::npos);
  EXPECT_EQ(*allowed_over({.percentile = 0.99}, 459), 0);
  EXPECT_EQ(*allowed_over({.percentile = 0.99}, 661), 0);
  EXPECT_EQ(*allowed_over({.percentile = 0.99}, 662), 1);
  EXPECT_EQ(*allowed_over({.percentile = 0.90}, 127), 5);
}

// 127 queries of 1 to 127 us: five may be slower than what is claimed.
TEST(EarlyStopping, ClaimsWhatTheCountsAllow) {
  std::vector<double> sorted;
  for (int i = 1; i <= 127; ++i) sorted.push_back(i);
  EXPECT_EQ(claimed_latency(sorted, 0.90), 122);
  EXPECT_TRUE(std::isnan(claimed_latency(sorted, 0.99)));
  EXPECT_TRUE(std::isnan(claimed_latency({}, 0.90)));
}

}  // namespace
}  // namespace edgewright
