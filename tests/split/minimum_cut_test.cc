// The minimum cut against an exhaustive search and against Boost.Graph.

#include <gtest/gtest.h>

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>
#include <chrono>
#include <limits>

#include "random_problem.h"
#include "split/choose.h"
#include "split/max_flow.h"
#include "split/solve.h"

namespace edgewright {
namespace {

// Walks through every allowed placement, layer by layer.
class Exhaustive {
 public:
  explicit Exhaustive(const SplitProblem& problem)
      : problem_(problem), producers_(problem.layers.size()), placement_(problem.layers.size(), 0) {
    for (const SplitTensor& tensor : problem.tensors) {
      for (const size_t consumer : tensor.consumers)
        producers_[consumer].push_back(tensor.producer);
    }
    place(1);
  }

  double best_us = std::numeric_limits<double>::infinity();
  // The least among placements that send other tensors than the best one.
  double second_us(const Placement& best) const {
    double second = std::numeric_limits<double>::infinity();
    const auto sent = cost_of(problem_, best).sent_tensors;
    for (const auto& [tensors, latency_us] : by_sent_) {
      if (tensors != sent) second = std::min(second, latency_us);
    }
    return second;
  }

 private:
  void place(size_t layer) {
    if (layer == placement_.size()) {
      const SplitCost cost = cost_of(problem_, placement_);
      best_us = std::min(best_us, cost.latency_us);
      const auto it = by_sent_.emplace(cost.sent_tensors, cost.latency_us).first;
      it->second = std::min(it->second, cost.latency_us);
      return;
    }
    size_t lowest = 0;
    for (const size_t producer : producers_[layer]) {
      lowest = std::max<size_t>(lowest, placement_[producer]);
    }
    for (size_t tier = lowest; tier < problem_.tiers(); ++tier) {
      placement_[layer] = static_cast<uint8_t>(tier);
      place(layer + 1);
    }
  }

  const SplitProblem& problem_;
  std::vector<std::vector<size_t>> producers_;
  Placement placement_;
  std::map<std::vector<std::vector<size_t>>, double> by_sent_;
};

void expect_optimal(uint64_t seed, size_t layers, size_t tiers) {
  const SplitProblem problem = random_problem(seed, layers, tiers);
  const Exhaustive oracle(problem);
  const auto placement = minimum_cut(problem);
  ASSERT_TRUE(placement.ok()) << placement.error().message;
  ASSERT_TRUE(is_allowed(problem, *placement));
  ASSERT_NEAR(cost_of(problem, *placement).latency_us, oracle.best_us, 1e-9 * oracle.best_us)
      << "seed " << seed << ", " << layers << " layers, " << tiers << " tiers";
}

TEST(MinimumCut, EqualsExhaustiveSearchOnTenThousandGraphs) {
  for (uint64_t seed = 0; seed < 10000 && !HasFatalFailure(); ++seed) {
    expect_optimal(seed, 2 + seed % 13, 2);
  }
}

TEST(MinimumCut, EqualsExhaustiveSearchOnThreeAndFourTiers) {
  for (uint64_t seed = 0; seed < 600 && !HasFatalFailure(); ++seed) {
    expect_optimal(seed, 2 + seed % 7, 3 + seed % 2);
  }
}

double runner_up_us(const SplitProblem& problem, double* second_us) {
  const auto choice = choose_split(problem, {});
  EXPECT_TRUE(choice.ok());
  *second_us = Exhaustive(problem).second_us(choice->best.placement);
  return choice->runner_up ? choice->runner_up->cost.latency_us
                           : std::numeric_limits<double>::infinity();
}

TEST(ChooseSplit, RunnerUpIsTheSecondBestOfChains) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SplitProblem problem = random_problem(seed, 2 + seed % 11, 2);
    for (SplitTensor& tensor : problem.tensors) tensor.consumers = {tensor.producer + 1};
    double second_us = 0;
    const double found_us = runner_up_us(problem, &second_us);
    if (found_us != second_us) {
      ASSERT_NEAR(found_us, second_us, 1e-9 * second_us) << "seed " << seed;
    }
  }
}

TEST(ChooseSplit, RunnerUpIsHardlyEverWorseOnGraphs) {
  int worse = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    double second_us = 0;
    const double found_us = runner_up_us(random_problem(seed, 2 + seed % 11, 2), &second_us);
    if (found_us == second_us) continue;
    ASSERT_GE(found_us, second_us * (1 - 1e-9)) << "seed " << seed;
    worse += found_us > second_us * (1 + 1e-9) ? 1 : 0;
  }
  std::printf("runner-up worse than the second best in %d of 1000 graphs\n", worse);
  EXPECT_LE(worse, 5);
}

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
using Network = boost::adjacency_list<
    boost::vecS, boost::vecS, boost::directedS, boost::no_property,
    boost::property<
        boost::edge_capacity_t, int64_t,
        boost::property<boost::edge_residual_capacity_t, int64_t,
                        boost::property<boost::edge_reverse_t, Traits::edge_descriptor>>>>;

void add_arc(Network& network, size_t from, size_t to, int64_t capacity) {
  const auto forward = boost::add_edge(from, to, network).first;
  const auto back = boost::add_edge(to, from, network).first;
  boost::put(boost::edge_capacity, network, forward, capacity);
  boost::put(boost::edge_capacity, network, back, 0);
  boost::put(boost::edge_reverse, network, forward, back);
  boost::put(boost::edge_reverse, network, back, forward);
}

TEST(MaxFlow, EqualsBoostOnGraphsOfTwoThousandVertices) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    std::mt19937_64 random(seed);
    const size_t vertices = seed < 20 ? 60 : 2000;
    Network network(vertices);
    MaxFlow flow(vertices);
    // Arcs near the diagonal make long paths, as networks of layers do.
    const size_t reach = 2 + random() % (seed % 2 == 0 ? 12 : vertices - 2);
    for (size_t from = 0; from + 1 < vertices; ++from) {
      for (size_t count = 1 + random() % 5; count > 0; --count) {
        const size_t to = std::min(vertices - 1, from + 1 + random() % reach);
        const auto capacity = static_cast<int64_t>(random() % 1000000);
        add_arc(network, from, to, capacity);
        flow.add_arc(from, to, capacity);
      }
      if (from > 3 && random() % 3 == 0) {
        const size_t to = from - 1 - random() % std::min<size_t>(from - 1, reach);
        const auto capacity = static_cast<int64_t>(random() % 1000000);
        add_arc(network, from, to, capacity);
        flow.add_arc(from, to, capacity);
      }
    }
    const int64_t expected = boost::push_relabel_max_flow(network, 0, vertices - 1);
    EXPECT_EQ(flow.solve(0, vertices - 1), expected) << "seed " << seed;
  }
}

// The value of a plan's minimum cut, by the plainest construction, in Boost.
double boost_minimum_us(const SplitProblem& problem, double scale) {
  const size_t layers = problem.layers.size();
  const int64_t infinite = int64_t{1} << 50;
  const auto capacity = [scale](double time_us) { return static_cast<int64_t>(time_us * scale); };
  Network network(2 + layers + problem.tensors.size());
  for (size_t i = 0; i < layers; ++i) {
    const SplitLayer& layer = problem.layers[i];
    const double server_us =
        layer.time_us[1] + layer.result_bytes * problem.hops[0].us_per_result_byte;
    add_arc(network, 0, 2 + i, i == 0 ? infinite : capacity(server_us));
    add_arc(network, 2 + i, 1, capacity(layer.time_us[0]));
  }
  for (size_t i = 0; i < problem.tensors.size(); ++i) {
    const SplitTensor& tensor = problem.tensors[i];
    const size_t sent = 2 + layers + i;
    add_arc(network, 2 + tensor.producer, sent,
            capacity(tensor.size_bytes * problem.hops[0].us_per_byte));
    for (const size_t consumer : tensor.consumers) {
      add_arc(network, sent, 2 + consumer, infinite);
      add_arc(network, 2 + consumer, 2 + tensor.producer, infinite);
    }
  }
  return static_cast<double>(boost::push_relabel_max_flow(network, 0, 1)) / scale;
}

TEST(MinimumCut, EqualsBoostOnGraphsOfTwoThousandLayers) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SplitProblem problem = random_problem(seed, 2000, 2);
    problem.hops[0].fixed_us = 0;
    const auto placement = minimum_cut(problem);
    ASSERT_TRUE(placement.ok()) << placement.error().message;
    const double expected_us = boost_minimum_us(problem, 1e7);
    EXPECT_NEAR(cost_of(problem, *placement).latency_us, expected_us, 1e-6 * expected_us)
        << "seed " << seed;
  }
}

// Prints the time; the figure is looked at by people, a loaded machine must not fail the test.
TEST(MinimumCut, PlansFiveThousandLayers) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const SplitProblem problem = random_problem(seed, 5000, 2);
    const auto start = std::chrono::steady_clock::now();
    const auto placement = minimum_cut(problem);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(placement.ok());
    ASSERT_TRUE(is_allowed(problem, *placement));
    std::printf("5,000 layers, %zu tensors: %.1f ms\n", problem.tensors.size(), time.count());
  }
}

TEST(LinearPlacement, IsTheMinimumCutOfChains) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SplitProblem problem = random_problem(seed, 2 + seed % 30, 2 + seed % 3);
    for (SplitTensor& tensor : problem.tensors) tensor.consumers = {tensor.producer + 1};
    const auto cut = minimum_cut(problem);
    ASSERT_TRUE(cut.ok());
    const Placement linear = best_linear_placement(problem, SplitObjective::kLatency);
    const double expected_us = cost_of(problem, *cut).latency_us;
    ASSERT_NEAR(cost_of(problem, linear).latency_us, expected_us, 1e-9 * expected_us)
        << "seed " << seed;
  }
}

// On chains every placement is linear, so that all can be tried.
TEST(ChooseSplit, ThroughputIsTheLeastBottleneckOfChains) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SplitProblem problem = random_problem(seed, 2 + seed % 20, 2);
    for (SplitTensor& tensor : problem.tensors) tensor.consumers = {tensor.producer + 1};
    double expected_us = 1e300;
    for (const SplitCost& cost : linear_costs(problem)) {
      expected_us = std::min(expected_us, cost.bottleneck_us);
    }
    const auto choice = choose_split(problem, {SplitObjective::kThroughput, {}});
    ASSERT_TRUE(choice.ok());
    ASSERT_NEAR(choice->best.cost.bottleneck_us, expected_us, 1e-9 * expected_us);
  }
}

TEST(ChooseSplit, KeepsLimitsAndSaysHowFarTheBoundIs) {
  int bound = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const SplitProblem problem = random_problem(seed, 12, 2);
    const auto free = choose_split(problem, {});
    ASSERT_TRUE(free.ok());
    SplitGoal goal;
    goal.limits.device_weight_bytes = 0.5 * free->best.cost.device_weight_bytes;
    const auto limited = choose_split(problem, goal);
    ASSERT_TRUE(limited.ok());
    EXPECT_TRUE(limited->best.broken_limits.empty());
    EXPECT_LE(limited->best.cost.device_weight_bytes, *goal.limits.device_weight_bytes);
    EXPECT_LE(limited->lower_bound_us, limited->best.cost.latency_us * (1 + 1e-9));
    EXPECT_GE(limited->best.cost.latency_us, free->best.cost.latency_us * (1 - 1e-9));
    bound += limited->best.placement != free->best.placement ? 1 : 0;
  }
  EXPECT_GT(bound, 100);
}

}  // namespace
}  // namespace edgewright
