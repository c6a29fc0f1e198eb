#include "power/simulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "power/idle_choice.h"
#include "power/planner.h"

namespace edgewright {
namespace {

constexpr LanguageShape kSmall{.hidden = 256,
                               .layers = 8,
                               .heads = 4,
                               .kv_heads = 2,
                               .head_size = 64,
                               .feed_forward = 704,
                               .vocabulary = 6144};

class SimulatorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto device = load_device("sdm845");
    ASSERT_TRUE(device.ok()) << device.error().message;
    device_ = std::move(*device);
    load_ = *language_load(kLlama1b, "int8");
  }
  SimulationResult run(const std::string& policy, const std::vector<Request>& requests,
                       const SimulationOptions& options, double skin_limit_c = 0) {
    auto result = simulate(device_, load_, requests, policy, {}, skin_limit_c, options);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return *result;
  }
  Device device_;
  LanguageLoad load_;
};

TEST(LanguageLoad, CountsTheParametersOfTinyLlama) {
  // 1.1 billion with separate input and output embeddings; one of them is read a token.
  EXPECT_EQ(parameter_count(kLlama1b),
            22 * (2 * 2048 * 2048 + 2 * 2048 * 256 + 3 * 2048 * 5632) + 2048 * 32000);
  EXPECT_NEAR(static_cast<double>(parameter_count(kLlama1b)), 1.1e9, 0.1e9);
}

TEST_F(SimulatorTest, OneRequestTakesWhatItsStepsTake) {
  const auto machine = Machine::create(device_);
  ASSERT_TRUE(machine.ok());
  const Setting setting = machine->big_cores();
  const auto result = run("highest", {{0, 64, 33}}, {.horizon_s = 600, .start_c = 25});
  ASSERT_EQ(result.requests, 1);
  EXPECT_EQ(result.tokens, 33);
  const double prefill_s = machine->step_s(step_work(load_, 64, 32), load_.dtype, setting);
  const double token_s = machine->step_s(step_work(load_, 1, 80), load_.dtype, setting);
  // Hot gates make it a few percent slower.
  EXPECT_NEAR(result.latency_s[0], prefill_s + 32 * token_s, 0.06 * result.latency_s[0]);
  EXPECT_GE(result.latency_s[0], prefill_s + 32 * token_s);
}

TEST_F(SimulatorTest, ConservesEnergyAndIsRepeatable) {
  const auto requests = make_workload({.kind = "poisson", .rate_per_s = 0.05, .horizon_s = 1200});
  ASSERT_TRUE(requests.ok());
  const SimulationOptions options{.horizon_s = 1200, .ambient = {{0, 25}, {600, 35}}};
  const auto first = run("phase-aware", *requests, options, 43);
  const auto second = run("phase-aware", *requests, options, 43);
  EXPECT_LT(first.energy_balance, 1e-9);
  EXPECT_EQ(first.energy.total_j(), second.energy.total_j());
  EXPECT_EQ(first.latency_s, second.latency_s);
  double share = 0;
  for (const Residency& residency : first.residency) share += residency.share;
  EXPECT_GT(share, 0);
}

TEST_F(SimulatorTest, BatchesShareTheWeights) {
  std::vector<Request> requests(8, {0, 16, 64});
  const auto single = run("highest", requests, {.horizon_s = 600});
  const auto batched = run("highest", requests, {.horizon_s = 600, .max_batch = 8});
  EXPECT_EQ(single.tokens, batched.tokens);
  EXPECT_LT(batched.simulated_s, 0.6 * single.simulated_s);
  EXPECT_LT(batched.energy.memory_j, 0.5 * single.energy.memory_j);
}

TEST_F(SimulatorTest, KeepsTheSkinBelowItsLimit) {
  const auto requests = make_workload({.kind = "continuous", .horizon_s = 3600});
  ASSERT_TRUE(requests.ok());
  const SimulationOptions options{.horizon_s = 3600};
  const auto free = run("highest", *requests, options);
  const auto held = run("phase-aware", *requests, options, 38);
  EXPECT_GT(free.peak_skin_c, 43);
  EXPECT_LE(held.peak_skin_c, 38.5);
  EXPECT_FALSE(held.throttles.empty());
}

TEST_F(SimulatorTest, EmptiesABattery) {
  const auto requests = make_workload({.kind = "continuous", .horizon_s = 3600});
  const auto result = run("highest", *requests, {.horizon_s = 3600, .battery_j = 100});
  EXPECT_TRUE(result.battery_empty);
  EXPECT_LT(result.simulated_s, 600);
}

TEST_F(SimulatorTest, RefusesDevicesWithoutPowers) {
  Device device = device_;
  for (Cluster& cluster : device.clusters) {
    for (OperatingPoint& point : cluster.operating_points) point.power_uw = 0;
  }
  const auto result = simulate(device, load_, {{0, 1, 1}}, "highest", {}, 0, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kUnsupported);
}

TEST_F(SimulatorTest, FrontsHoldNothingThatAnotherBeats) {
  const auto machine = Machine::create(device_);
  ASSERT_TRUE(machine.ok());
  const auto front = pareto_front(*machine, step_work(load_, 1, 128), load_.dtype, 50);
  ASSERT_GT(front.size(), 3);
  for (size_t i = 1; i < front.size(); ++i) {
    EXPECT_GT(front[i].step_s, front[i - 1].step_s);
    EXPECT_LT(front[i].energy_j, front[i - 1].energy_j);
  }
  EXPECT_EQ(cheapest_within(front, front[2].step_s).step_s, front[2].step_s);
  EXPECT_EQ(cheapest_within(front, 0).step_s, front[0].step_s);
  EXPECT_LE(quickest_within_power(front, front[1].power_w).power_w, front[1].power_w);
  // Performance alone takes the quickest, energy alone the cheapest.
  EXPECT_EQ(best_utility(front, 1, 0).step_s, front.front().step_s);
  EXPECT_EQ(best_utility(front, 1, 1).step_s, front.back().step_s);
}

TEST_F(SimulatorTest, PlansKeepTheirLimits) {
  const PlanLimits limits{.token_s = 0.3, .first_token_s = 20, .skin_c = 40};
  const auto plan = make_plan(device_, {load_}, {1, 4}, {.ambient_c = 25}, limits);
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_LE(plan->choice.token_s, 0.3);
  EXPECT_LE(plan->choice.skin_c, 40);
  for (const ConstraintCost& cost : plan->costs) {
    EXPECT_LE(cost.energy_j_per_token, plan->choice.energy_j_per_token * (1 + 1e-9));
  }
  for (const OperatingPlan& point : plan->front) EXPECT_LE(point.skin_c, 40);
  const auto none = make_plan(device_, {load_}, {1}, {.ambient_c = 25}, {.token_s = 1e-6});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, ErrorKind::kCheckFailed);
  EXPECT_NE(none.error().message.find("token latency"), std::string::npos) << none.error().message;
}

TEST(HeatBudget, BringsTheNodeToItsLimit) {
  const auto device = load_device("sdm845");
  ASSERT_TRUE(device.ok());
  auto model = ThermalModel::create(device->thermal_network);
  ASSERT_TRUE(model.ok());
  std::vector<double> temperatures(model->size(), 30);
  const size_t skin = *model->node("case"), die = *model->node("die");
  const double budget_w = heat_budget_w(*model, temperatures, 25, die, skin, 40, 240);
  std::vector<double> power(model->size(), 0);
  power[die] = budget_w;
  for (int i = 0; i < 8; ++i) model->step(temperatures, power, 25, 30);
  EXPECT_NEAR(temperatures[skin], 40, 1e-6);
}

// Both thermal governors of the kernel keep the skin near its limit; an engine that may batch when
// it is hot makes more tokens of the same heat.
TEST_F(SimulatorTest, BatchesGrowWithHeat) {
  const auto requests = make_workload({.kind = "continuous", .horizon_s = 2400});
  ASSERT_TRUE(requests.ok());
  const SimulationOptions options{.horizon_s = 2400};
  const auto run_with = [&](const PhaseAwareOptions& policy) {
    auto result = simulate(device_, load_, *requests, "phase-aware", policy, 38, options);
    EXPECT_TRUE(result.ok());
    return *result;
  };
  const auto single = run_with({});
  const auto batched = run_with({.hot_batch = 4});
  EXPECT_LE(batched.peak_skin_c, 38);
  EXPECT_GT(batched.sustained_tokens_per_s, 1.1 * single.sustained_tokens_per_s);
}

TEST_F(SimulatorTest, ThePowerAllocatorHoldsTheSkin) {
  const auto requests = make_workload({.kind = "continuous", .horizon_s = 3600});
  ASSERT_TRUE(requests.ok());
  const auto free = run("schedutil", *requests, {.horizon_s = 3600});
  const auto held = run("ipa", *requests, {.horizon_s = 3600}, 38);
  EXPECT_GT(free.peak_skin_c, 43);
  EXPECT_LT(held.peak_skin_c, 41);
  ASSERT_FALSE(held.throttles.empty());
  EXPECT_EQ(held.throttles[0].cause, "power_allocator");
}

// A long prompt in pieces does not hold up an answer that is under way.
TEST_F(SimulatorTest, InterleavedPromptsLetAnswersGoOn) {
  const auto board = load_device("rk3588");
  ASSERT_TRUE(board.ok());
  const LanguageLoad small = *language_load(kSmall, "int8");
  const std::vector<Request> requests = {{0, 16, 64}, {0.005, 2048, 8}};
  const SimulationOptions options{.horizon_s = 3600, .max_batch = 4};
  const auto run_with = [&](const PhaseAwareOptions& policy) {
    auto result = simulate(*board, small, requests, "phase-aware", policy, 0, options);
    EXPECT_TRUE(result.ok());
    return *result;
  };
  const auto apart = run_with({});
  const auto beside = run_with({.interleave = true});
  ASSERT_EQ(apart.requests, 2);
  ASSERT_EQ(beside.requests, 2);
  EXPECT_EQ(apart.tokens, beside.tokens);
  EXPECT_LT(beside.latency_s[0], 0.8 * apart.latency_s[0]);
  EXPECT_LT(beside.energy_balance, 1e-9);
}

// With a batch of one the next prompt is computed beside the answer, which takes hardly longer: all
// are done sooner, and still no two answers are decoded at once.
TEST_F(SimulatorTest, TheNextPromptIsComputedBesideAnAnswer) {
  const auto board = load_device("rk3588");
  ASSERT_TRUE(board.ok());
  constexpr int kRequests = 6, kTokens = 128;
  const std::vector<Request> requests(kRequests, {0, kTokens, kTokens});
  const auto run_with = [&](const PhaseAwareOptions& policy) {
    auto result = simulate(*board, load_, requests, "phase-aware", policy, 0, {});
    EXPECT_TRUE(result.ok());
    return *result;
  };
  const auto apart = run_with({});
  const auto beside = run_with({.interleave = true});
  ASSERT_EQ(beside.requests, kRequests);
  EXPECT_EQ(apart.tokens, beside.tokens);
  EXPECT_LT(beside.latency_s.back(), 0.97 * apart.latency_s.back());
  // Between the ends of two answers lie all steps of the later one.
  const Machine machine = *Machine::create(*board);
  const double step_s =
      machine.step_s(step_work(load_, 1, kTokens), load_.dtype, machine.big_cores());
  for (size_t i = 1; i < kRequests; ++i) {
    EXPECT_GT(beside.latency_s[i] - beside.latency_s[i - 1], (kTokens - 1) * step_s);
  }
  EXPECT_LT(beside.energy_balance, 1e-9);
}

// A pipeline of layers saves the barriers between unequal cores and reads the weights again for
// every stage: it is for models of many small layers and several sequences.
TEST_F(SimulatorTest, APipelineIsChosenWhereItPays) {
  const auto board = load_device("rk3588");
  ASSERT_TRUE(board.ok());
  const Machine machine = *Machine::create(*board);
  const auto pipelined = [&](const LanguageLoad& load, double tokens) {
    const auto front = pareto_front(machine, step_work(load, tokens, 64), load.dtype, 50);
    return std::ranges::count_if(
        front, [](const FrontChoice& choice) { return choice.setting.pipelined; });
  };
  LanguageLoad narrow = load_;
  narrow.layers = 400;
  narrow.operations_per_token /= 40;  // as long as the barriers
  narrow.weight_bytes /= 1000;
  narrow.operations_per_token_position = narrow.cache_bytes_per_position = 0;
  EXPECT_GT(pipelined(narrow, 4), 0);
  EXPECT_EQ(pipelined(narrow, 1), 0);  // one sequence is in one stage at a time
  EXPECT_EQ(pipelined(load_, 4), 0);   // the weights would have to come twice
  // Twelve layers of 128 channels: weights of a megabyte, which the board's shared cache holds.
  const auto small = language_load({.hidden = 128,
                                    .layers = 12,
                                    .heads = 2,
                                    .kv_heads = 1,
                                    .head_size = 64,
                                    .feed_forward = 352,
                                    .vocabulary = 2048},
                                   "int4");
  ASSERT_TRUE(small.ok());
  EXPECT_GT(pipelined(*small, 8), 0);
  EXPECT_EQ(pipelined(*small, 1), 0);
}

// Two stages of one core each, equal and alone: each has half the layers, and both groups of
// sequences pass both stages.
TEST_F(SimulatorTest, APipelineTakesWhatItsSlowestStageTakes) {
  const auto board = load_device("rk3588");
  ASSERT_TRUE(board.ok());
  const Machine machine = *Machine::create(*board);
  StepWork work{.operations = 8e9, .bytes = 4e7, .barriers = 100};
  work.tokens = 4;
  work.weight_bytes = 2e7;
  work.layers = 20;
  Setting setting{.clusters = {{0, 0}, {1, machine.points(1) - 1}, {1, machine.points(2) - 1}}};
  const double one_s = machine.step_s({.operations = 4e9}, "int8",
                                      {.clusters = {{0, 0}, {1, machine.points(1) - 1}, {0, 0}}});
  const double other_s = machine.step_s({.operations = 4e9}, "int8",
                                        {.clusters = {{0, 0}, {0, 0}, {1, machine.points(2) - 1}}});
  setting.pipelined = true;
  EXPECT_NEAR(machine.step_s(work, "int8", setting), std::max(one_s, other_s), 1e-9);
  EXPECT_DOUBLE_EQ(machine.moved_bytes(work, setting), 6e7);
  EXPECT_EQ(machine.pipelined_step_s(work, "int8", setting, 0.5 * one_s), HUGE_VAL);
}

// The board's shared cache holds 3 MiB: weights of 2 MB stay there from step to step, and every
// stage of a pipeline finds them.
TEST_F(SimulatorTest, SmallWeightsComeFromTheSharedCache) {
  const auto board = load_device("rk3588");
  ASSERT_TRUE(board.ok());
  const Machine machine = *Machine::create(*board);
  StepWork work{.bytes = 2.5e6};
  work.tokens = 4;
  work.weight_bytes = 2e6;
  work.layers = 20;
  Setting setting{.clusters = {{0, 0}, {2, machine.points(1) - 1}, {2, machine.points(2) - 1}}};
  EXPECT_DOUBLE_EQ(machine.moved_bytes(work, setting), 0.5e6);
  // Five bytes a cycle for each of four cores, more than memory gives.
  EXPECT_DOUBLE_EQ(machine.step_s(work, "int8", setting), 2.5e6 / (4 * 5 * 2.4e9));
  setting.pipelined = true;
  EXPECT_DOUBLE_EQ(machine.moved_bytes(work, setting), 0.5e6);
}

// The learner knows no model and comes near to the choice that does.
TEST_F(SimulatorTest, TheLearnerComesNearTheChoiceByModel) {
  const auto requests = make_workload({.kind = "continuous", .horizon_s = 1800});
  ASSERT_TRUE(requests.ok());
  const auto policy = [&](const char* name) {
    auto result = simulate(device_, load_, *requests, name, {.slack = 1.2}, 0, {.horizon_s = 1800});
    EXPECT_TRUE(result.ok());
    return result->energy.total_j() / static_cast<double>(result->tokens);
  };
  const double highest = policy("highest"), by_model = policy("phase-aware");
  const double learned = policy("learned");
  EXPECT_LT(learned, 0.7 * highest);
  EXPECT_LT(learned, 1.35 * by_model);
}

// Two equal clusters, each on a piece of silicon of its own: work goes back and forth, and neither
// gets as hot as one that does it all.
TEST_F(SimulatorTest, WorkMovesToTheCoolerOfEqualClusters) {
  auto board = load_device("rk3588");
  ASSERT_TRUE(board.ok());
  ThermalNetwork& network = board->thermal_network;
  network.nodes.push_back({.name = "left", .capacity_j_per_k = 0.05});
  network.nodes.push_back({.name = "right", .capacity_j_per_k = 0.05});
  for (const char* name : {"left", "right"}) {
    network.links.push_back({.from = name, .to = "die", .conductance_w_per_k = 0.15});
  }
  for (HeatInlet& inlet : network.inlets) {
    if (inlet.source == "cluster:1") inlet.node = "left";
    if (inlet.source == "cluster:2") inlet.node = "right";
  }
  const LanguageLoad small = *language_load(kSmall, "int8");
  const auto requests = make_workload({.kind = "continuous", .horizon_s = 120});
  ASSERT_TRUE(requests.ok());
  const auto hottest = [&](double gap_c) {
    auto result = simulate(*board, small, *requests, "phase-aware",
                           {.slack = 1.0, .rotate_gap_c = gap_c}, 0, {.horizon_s = 120});
    EXPECT_TRUE(result.ok());
    EXPECT_LT(result->energy_balance, 1e-9);
    return result->peak_die_c;
  };
  EXPECT_LT(hottest(2), hottest(1000) - 1);
}

TEST(IdleChoice, LearnsFromShortRestsAndTakesWishes) {
  const auto device = load_device("sm8250");
  ASSERT_TRUE(device.ok());
  const auto machine = Machine::create(*device);
  ASSERT_TRUE(machine.ok());
  IdleChoice choice(*machine);
  choice.begin(1, IdleChoice::Wish::kTimerEvents);
  EXPECT_TRUE(choice.sleeps(1));  // the timer is far, nothing speaks against it
  choice.end(1e-5, false);
  for (int i = 0; i < 30; ++i) {
    choice.begin(1, IdleChoice::Wish::kTimerEvents);
    choice.end(1e-5, false);
  }
  choice.begin(1, IdleChoice::Wish::kTimerEvents);
  EXPECT_FALSE(choice.sleeps(1));  // always woken long before it paid
  choice.end(1e-5, false);
  choice.begin(1, IdleChoice::Wish::kDeep);
  EXPECT_TRUE(choice.sleeps(1));
  choice.end(1, true);
  EXPECT_FALSE(choice.sleeps(1));
}

TEST(Machine, ChangesOfCoresCostMoreThanOfFrequency) {
  const auto device = load_device("sm8250");
  ASSERT_TRUE(device.ok());
  const auto machine = Machine::create(*device);
  ASSERT_TRUE(machine.ok());
  const Setting high = machine->big_cores();
  Setting low = high, few = high;
  low.clusters[1].point = 0;
  few.clusters[1].cores = 1;
  EXPECT_EQ(machine->change_s(high, high), 0);
  EXPECT_EQ(machine->change_s(high, low), machine->transition_s());
  EXPECT_EQ(machine->change_s(high, few), machine->transition_s());  // nobody has to warm up
  EXPECT_GT(machine->change_s(few, high), 2 * machine->transition_s() / 2 + 50e-6);
}

TEST(StagedThrottle, EntersAndLeavesItsStagesWithHysteresis) {
  StagedThrottle throttle(43);
  EXPECT_EQ(throttle.stage(36), 0);
  EXPECT_EQ(throttle.stage(37), 1);
  EXPECT_EQ(throttle.stage(35.5), 1);
  EXPECT_EQ(throttle.stage(34.9), 0);
  EXPECT_EQ(throttle.stage(43), 4);
  EXPECT_EQ(throttle.stage(41.5), 4);
  EXPECT_EQ(throttle.stage(40.5), 3);
}

TEST(Workload, ComesAtItsRate) {
  for (const char* kind : {"poisson", "bursts", "day"}) {
    const auto requests =
        make_workload({.kind = kind, .rate_per_s = 2, .horizon_s = 7200, .seed = 3});
    ASSERT_TRUE(requests.ok());
    const double mean = static_cast<double>(requests->size()) / 7200;
    EXPECT_NEAR(mean, 2, 0.15) << kind;
    EXPECT_TRUE(std::ranges::is_sorted(*requests, {}, &Request::arrival_s));
  }
  EXPECT_FALSE(make_workload({.kind = "weekly"}).ok());
}

}  // namespace
}  // namespace edgewright
