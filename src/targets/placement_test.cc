#include "targets/placement.h"

#include <gtest/gtest.h>

#include <random>

namespace edgewright {
namespace {

constexpr size_t kOutside = PlacementProblem::kOutside;
constexpr double kImpossible = PlacementProblem::kImpossible;

PlacementProblem random_problem(std::mt19937& random, size_t nodes) {
  const auto number = [&](int low, int high) {
    return static_cast<double>(std::uniform_int_distribution<int>(low, high)(random));
  };
  PlacementProblem problem;
  for (size_t i = 0; i < nodes; ++i) {
    const double accelerator_us = number(0, 9) < 3 ? kImpossible : number(1, 10);
    const double cpu_us =
        accelerator_us != kImpossible && number(0, 9) < 1 ? kImpossible : number(5, 60);
    problem.nodes.push_back({accelerator_us, cpu_us});
  }
  problem.tensors.push_back({kOutside, {0}, number(1, 20), number(1, 100)});
  for (size_t i = 0; i < nodes; ++i) {
    PlacementProblem::Tensor tensor{i, {}, number(1, 20), number(1, 100)};
    for (size_t j = i + 1; j < nodes; ++j) {
      if (number(0, 9) < 3) tensor.consumers.push_back(j);
    }
    if (tensor.consumers.empty()) tensor.consumers.push_back(kOutside);
    problem.tensors.push_back(tensor);
  }
  return problem;
}

double exhaustive_us(const PlacementProblem& problem) {
  double best = std::numeric_limits<double>::infinity();
  for (uint32_t mask = 0; mask < uint32_t{1} << problem.nodes.size(); ++mask) {
    std::vector<bool> on_cpu(problem.nodes.size());
    for (size_t i = 0; i < on_cpu.size(); ++i) on_cpu[i] = (mask >> i & 1) != 0;
    const PlacementResult result = cost_of(problem, on_cpu);
    if (result.possible) best = std::min(best, result.total_us);
  }
  return best;
}

TEST(Placement, EqualsExhaustiveSearchOnRandomGraphs) {
  std::mt19937 random(11);
  for (int round = 0; round < 1000; ++round) {
    const auto nodes = static_cast<size_t>(std::uniform_int_distribution<int>(1, 12)(random));
    const PlacementProblem problem = random_problem(random, nodes);
    const PlacementResult result = place(problem);
    ASSERT_TRUE(result.possible) << round;
    ASSERT_DOUBLE_EQ(result.total_us, exhaustive_us(problem)) << round;
  }
}

TEST(Placement, AValueWithManyReadersCrossesOnce) {
  PlacementProblem problem;
  problem.nodes = {{1, 100}, {kImpossible, 1}, {kImpossible, 1}};
  problem.tensors = {{kOutside, {0}, 2, 10}, {0, {1, 2}, 5, 40}};
  const PlacementResult result = place(problem);
  EXPECT_EQ(result.on_cpu, (std::vector<bool>{false, true, true}));
  EXPECT_EQ(result.transitions, 2);
  EXPECT_DOUBLE_EQ(result.bytes_moved, 50);
  EXPECT_DOUBLE_EQ(result.total_us, 1 + 1 + 1 + 2 + 5);
}

TEST(Placement, ASmallIslandIsNotWorthTheWay) {
  PlacementProblem problem;
  problem.nodes = {{kImpossible, 1}, {1, 3}, {kImpossible, 1}};
  problem.tensors = {{kOutside, {0}, 2, 1}, {0, {1}, 2, 1}, {1, {2}, 2, 1}, {2, {kOutside}, 2, 1}};
  EXPECT_EQ(place(problem).on_cpu, (std::vector<bool>{true, true, true}));
}

TEST(Placement, SaysWhenANodeRunsNowhere) {
  PlacementProblem problem;
  problem.nodes = {{kImpossible, kImpossible}};
  problem.tensors = {{kOutside, {0}, 1, 1}};
  EXPECT_FALSE(place(problem).possible);
}

TEST(Placement, PlansFourThousandNodes) {
  std::mt19937 random(5);
  PlacementProblem problem;
  for (size_t i = 0; i < 4000; ++i) {
    const bool supported = random() % 10 != 0;
    problem.nodes.push_back({supported ? 1.0 + random() % 9 : kImpossible, 10.0 + random() % 50});
    PlacementProblem::Tensor tensor{i == 0 ? kOutside : i - 1, {i}, 3.0 + random() % 5, 1};
    if (i + 7 < 4000) tensor.consumers.push_back(i + 7);
    problem.tensors.push_back(tensor);
  }
  const PlacementResult result = place(problem);
  EXPECT_TRUE(result.possible);
  EXPECT_LE(result.total_us, cost_of(problem, std::vector<bool>(4000, true)).total_us);
}

}  // namespace
}  // namespace edgewright
