#include "profile/step_times.h"

#include <gtest/gtest.h>

#include "profile/pace.h"

namespace edgewright {
namespace {

TEST(StepTimes, RunsOfSlowMomentsDoNotCount) {
  const std::vector<double> paces = {20, 31, 20.5, 21, 30, 22, 24, 20};
  EXPECT_EQ(undisturbed_runs(paces, 3), (std::vector<size_t>{0, 2, 3, 5, 7}));
  // Too few are left to say anything.
  EXPECT_EQ(undisturbed_runs(paces, 6).size(), paces.size());
}

TEST(StepTimes, WithoutPaceEveryRunCounts) {
  EXPECT_EQ(undisturbed_runs(std::vector<double>(7, 0), 5).size(), 7U);
}

TEST(PaceWatch, WaitsUntilTheMachineIsQuick) {
  const std::vector<double> said = {20, 24, 23.5, 22, 30};
  size_t asked = 0;
  PaceWatch watch([&] { return said.at(asked++); }, 0, 1e9);
  EXPECT_EQ(watch.wait_us(watch.read_us()), 20);
  EXPECT_EQ(watch.waited_us(), 0);
  EXPECT_EQ(watch.wait_us(watch.read_us()), 22);
  EXPECT_GT(watch.waited_us(), 0);
  EXPECT_EQ(watch.read_us(), 30);
}

TEST(PaceWatch, LosesItsPatience) {
  PaceWatch watch([] { return 24.0; }, 20, 1);
  EXPECT_EQ(watch.wait_us(watch.read_us()), 24);
  const double waited_us = watch.waited_us();
  EXPECT_GE(waited_us, 1);
  EXPECT_EQ(watch.wait_us(watch.read_us()), 24);
  EXPECT_EQ(watch.waited_us(), waited_us);
}

class Runs : public ::testing::Test {
 protected:
  Runs() {
    const ValueType floats = ValueType::tensor(DType::kFloat32, to_shape(Dims{4}));
    Graph graph;
    Node* const node = graph.add_node("Relu", {graph.add_input("x", floats)}, {"y"});
    node->outputs[0]->type = floats;
    graph.add_output(node->outputs[0]);
    auto opened = Session::open(clone(graph), {});
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    session_ = *std::move(opened);
    auto x = Tensor::allocate(DType::kFloat32, {4});
    inputs_.emplace_back(*std::move(x));
  }
  std::unique_ptr<Session> session_;
  std::vector<Datum> inputs_;
};

TEST_F(Runs, OfSlowMomentsAreLeftOut) {
  StepTimeOptions options;
  options.seconds = 0.2;
  options.max_pairs = 1'000'000;
  // Slow at the end of every other stretch of runs.
  size_t asked = 0;
  options.pace_us = [&] { return asked++ % 4 == 3 ? 40.0 : 20.0; };
  const auto times = measure_steps(*session_, inputs_, options);
  ASSERT_TRUE(times.ok()) << times.error().message;
  EXPECT_GT(times->disturbed_pairs, 0);
  EXPECT_GT(times->pairs, 0);
  EXPECT_EQ(times->pace_us, 20);
  EXPECT_EQ(times->step_us.size(), 1U);
}

TEST_F(Runs, AllCountWhereTheMachineStaysSlow) {
  StepTimeOptions options;
  options.seconds = 0.02;
  options.quick_pace_us = 20;
  options.pace_us = [] { return 40.0; };
  const auto times = measure_steps(*session_, inputs_, options);
  ASSERT_TRUE(times.ok()) << times.error().message;
  EXPECT_EQ(times->disturbed_pairs, 0);
  EXPECT_GE(times->pairs, options.min_pairs);
  EXPECT_EQ(times->pace_us, 40);
}

}  // namespace
}  // namespace edgewright
