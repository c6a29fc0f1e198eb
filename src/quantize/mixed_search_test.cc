#include "quantize/mixed_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace edgewright {
namespace {

// Eight layers: each is cheaper in type 1, a change of type between neighbours costs something, and
// errors add up in squares with a small interaction that the search does not know.
struct Toy {
  std::vector<double> wide, narrow, error;
  double boundary = 0, limit = 0;

  explicit Toy(uint32_t seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<double> uniform(0, 1);
    for (int l = 0; l < 8; ++l) {
      wide.push_back(10 + 20 * uniform(generator));
      // One in four layers is slower when narrow.
      narrow.push_back(wide.back() * (0.3 + 0.95 * uniform(generator)));
      error.push_back(std::pow(uniform(generator), 4));
    }
    boundary = 2 * uniform(generator);
    limit = 0.3 + 0.5 * uniform(generator);
  }
  double cost(const Assignment& a) const {
    double sum = 0;
    for (size_t l = 0; l < a.size(); ++l) {
      sum += a[l] == 0 ? wide[l] : narrow[l];
      if (l > 0 && a[l] != a[l - 1]) sum += boundary;
    }
    return sum;
  }
  double total_error(const Assignment& a) const {
    double sum = 0;
    for (size_t l = 0; l < a.size(); ++l) {
      if (a[l] == 0) continue;
      sum += error[l];
      if (l > 0 && a[l - 1] != 0) sum += 0.05 * std::sqrt(error[l] * error[l - 1]);
    }
    return std::sqrt(sum);
  }
  MixedProblem problem() const {
    MixedProblem result;
    result.layers = wide.size();
    result.cost = [this](const Assignment& a) { return cost(a); };
    result.judge = [this](const Assignment& a) -> Result<MixedProblem::Verdict> {
      return MixedProblem::Verdict{total_error(a), total_error(a) <= limit};
    };
    for (const double e : error) result.sensitivity.insert(result.sensitivity.end(), {0, e});
    return result;
  }
  double best_cost() const {
    double best = 1e300;
    for (int bits = 0; bits < 256; ++bits) {
      Assignment a(8);
      for (int l = 0; l < 8; ++l) a[static_cast<size_t>(l)] = static_cast<uint8_t>(bits >> l & 1);
      if (total_error(a) <= limit) best = std::min(best, cost(a));
    }
    return best;
  }
};

TEST(MixedSearchTest, WithinTwoPercentOfExhaustiveSearch) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    const Toy toy(seed);
    const auto result = search_mixed(toy.problem(), {});
    ASSERT_TRUE(result.ok());
    const MixedPoint& chosen = result->judged[result->chosen];
    EXPECT_TRUE(chosen.allowed);
    EXPECT_LE(chosen.cost, 1.02 * toy.best_cost()) << "seed " << seed;
    EXPECT_LE(result->judged.size(), 40u);
  }
}

TEST(MixedSearchTest, SameSeedSameResult) {
  const Toy toy(3);
  const auto a = search_mixed(toy.problem(), {}), b = search_mixed(toy.problem(), {});
  ASSERT_EQ(a->judged.size(), b->judged.size());
  EXPECT_EQ(a->judged[a->chosen].assignment, b->judged[b->chosen].assignment);
}

TEST(MixedSearchTest, TimeEndsTheSearch) {
  const Toy toy(4);
  MixedOptions options;
  options.out_of_time = [] { return true; };
  const auto result = search_mixed(toy.problem(), options);
  ASSERT_TRUE(result.ok());
  EXPECT_LE(result->judged.size(), 2u);
  EXPECT_TRUE(result->judged[result->chosen].allowed);
}

TEST(MixedSearchTest, ExhaustiveSearchJudgesEveryMix) {
  const Toy toy(5);
  MixedOptions options;
  options.exhaustive = true;
  const auto result = search_mixed(toy.problem(), options);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->proved);
  EXPECT_EQ(result->judged.size(), 256u);
  EXPECT_DOUBLE_EQ(result->judged[result->chosen].cost, toy.best_cost());
  EXPECT_LE(result->judged[result->found].cost, 1.02 * toy.best_cost());

  MixedProblem large = toy.problem();
  large.types = 3;  // 6,561 mixes
  large.sensitivity.resize(24);
  const auto refused = search_mixed(large, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
}

TEST(ParetoTest, FrontAndKnee) {
  const std::vector<MixedPoint> points = {{{}, 10, 0.0, true},
                                          {{}, 4, 0.2, true},
                                          {{}, 3, 1.0, true},
                                          {{}, 5, 0.5, true},
                                          {{}, 4, 0.3, true}};
  const auto front = pareto_front(points);
  EXPECT_THAT(front, testing::ElementsAre(2, 1, 0));
  EXPECT_EQ(knee_of(points, front), 1u);
}

}  // namespace
}  // namespace edgewright
