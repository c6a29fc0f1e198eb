#include "serve/batching/lane.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "serve/batching/join.h"

namespace edgewright {
namespace {

using namespace std::chrono_literals;

std::vector<QueuedRequest> queue_of(std::initializer_list<int64_t> rows) {
  std::vector<QueuedRequest> queue;
  for (const int64_t count : rows) {
    queue.push_back({static_cast<int64_t>(queue.size()) + 1, count, 7, 100, 10'000});
  }
  return queue;
}

TEST(PlanBatch, TakesTheLargestPreferredSizeFromTheFront) {
  const BatchLimits limits{8, {}, 0, 256};
  EXPECT_EQ(plan_batch(limits, queue_of({1, 1, 1, 1, 1}), 200).take, 4u);
  EXPECT_EQ(plan_batch(limits, queue_of({3}), 200).take, 1u);
  EXPECT_EQ(plan_batch(limits, queue_of({3, 2}), 200).take, 2u);  // 5 is no power, nor is 3
  EXPECT_EQ(plan_batch(limits, queue_of({4, 4, 4}), 200).take, 2u);
  EXPECT_EQ(plan_batch({0, {}, 0, 256}, queue_of({1, 1}), 200).take, 1u);
  EXPECT_EQ(plan_batch({8, {6}, 0, 256}, queue_of({2, 2, 2, 2}), 200).take, 3u);
  std::vector<QueuedRequest> mixed = queue_of({1, 1, 1, 1});
  mixed[1].form = 8;  // does not go with the first, and none overtakes it
  EXPECT_EQ(plan_batch(limits, mixed, 200).take, 1u);
}

TEST(PlanBatch, WaitsForCompanyAsLongAsItMay) {
  const BatchLimits limits{4, {}, 500, 256};
  const BatchPlan wait = plan_batch(limits, queue_of({1, 1}), 200);
  EXPECT_EQ(wait.take, 0u);
  EXPECT_EQ(wait.wait_until_us, 600);
  EXPECT_EQ(plan_batch(limits, queue_of({1, 1}), 600).take, 2u);
  EXPECT_EQ(plan_batch(limits, queue_of({1, 1, 1, 1}), 200).take, 4u);
}

TEST(PlanBatch, DropsWhatIsTooLate) {
  std::vector<QueuedRequest> queue = queue_of({1, 1, 1});
  queue[0].deadline_us = 150;
  const BatchPlan plan = plan_batch({4, {}, 0, 256}, queue, 200);
  EXPECT_EQ(plan.expired, std::vector<int64_t>{1});
  EXPECT_EQ(plan.take, 2u);
  EXPECT_TRUE(plan_batch({4, {}, 0, 256}, {}, 200).expired.empty());
}

TEST(PlanBatch, FindsBrokenQueues) {
  std::vector<QueuedRequest> queue = queue_of({1, 1});
  EXPECT_TRUE(validate({4, {}, 0, 2}, queue).empty());
  EXPECT_FALSE(validate({4, {}, 0, 1}, queue).empty());
  queue[1].id = queue[0].id;
  queue[1].arrived_us = 50;
  EXPECT_EQ(validate({4, {}, 0, 2}, queue).size(), 2u);
}

// Doubles its input and remembers the sizes that it saw.
class Doubler : public ServedModel {
 public:
  explicit Doubler(std::chrono::milliseconds time = 0ms) : time_(time) {}
  const std::vector<ServedPort>& inputs() const override { return ports_; }
  const std::vector<ServedPort>& outputs() const override { return ports_; }
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    EXPECT_FALSE(running_.exchange(true));
    std::this_thread::sleep_for(time_);
    largest_ = std::max<int64_t>(largest_, inputs[0].dim(0));
    ++runs_;
    EDGEWRIGHT_ASSIGN(Tensor output, clone(inputs[0]));
    float* values = output.mutable_data<float>();
    for (int64_t i = 0; i < output.element_count(); ++i) values[i] *= 2;
    running_ = false;
    if (values[0] < 0) throw std::runtime_error("negative");
    return std::vector<Tensor>{std::move(output)};
  }

  std::atomic<int64_t> largest_ = 0, runs_ = 0;

 private:
  std::vector<ServedPort> ports_;
  std::chrono::milliseconds time_;
  std::atomic<bool> running_ = false;
};

struct LaneAndModel {
  Doubler* model;
  std::unique_ptr<Lane> lane;
};
LaneAndModel lane_of(BatchLimits limits, std::chrono::milliseconds time = 0ms,
                     std::shared_ptr<EnergyLedger> ledger = nullptr) {
  auto model = std::make_unique<Doubler>(time);
  Doubler* const raw = model.get();
  std::vector<std::unique_ptr<ServedModel>> instances;
  instances.push_back(std::move(model));
  return {raw, std::make_unique<Lane>(std::move(instances), std::move(limits), std::move(ledger))};
}

TEST(Lane, EverybodyGetsTheirOwnAnswer) {
  for (const int64_t max_rows : {0, 8}) {
    const auto [model, lane] = lane_of({max_rows, {}, 200, 1000}, 1ms);
    std::vector<std::thread> threads;
    threads.reserve(16);
    std::atomic<int> right = 0;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) {
          const auto value = static_cast<float>(t * 100 + i + 1);
          LaneTimes times;
          const auto reply =
              lane->run({{Tensor::of<float>({1, 1}, {value})}, ServeClock::now() + 60s}, times);
          right += reply.ok() && *(*reply)[0].data<float>() == 2 * value ? 1 : 0;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, 160);
    EXPECT_LE(model->largest_, std::max<int64_t>(max_rows, 1));
    EXPECT_EQ(model->runs_ == 160, max_rows == 0);
    EXPECT_EQ(lane->waiting(), 0u);
  }
}

TEST(Lane, RefusesWhatIsTooMuchTooLateOrAfterTheEnd) {
  const auto [model, lane] = lane_of({0, {}, 0, 1}, 200ms);
  const Tensor input = Tensor::of<float>({1}, {1});
  LaneTimes times;
  std::thread first([&lane = lane, &input] {
    LaneTimes unused;
    EXPECT_TRUE(lane->run({{input}, ServeClock::now() + 60s}, unused).ok());
  });
  std::this_thread::sleep_for(50ms);
  std::thread second([&lane = lane, &input] {
    LaneTimes unused;
    const auto reply = lane->run({{input}, ServeClock::now() + 50ms}, unused);
    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(reply.refusal().kind, RefusalKind::kDeadline);
  });
  std::this_thread::sleep_for(20ms);
  const auto full = lane->run({{input}, ServeClock::now() + 60s}, times);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.refusal().kind, RefusalKind::kExhausted);
  first.join();
  second.join();
  lane->close();
  EXPECT_EQ(lane->run({{input}, ServeClock::now() + 1s}, times).refusal().kind,
            RefusalKind::kUnavailable);
}

TEST(Lane, ADefectInOneRequestIsThatRequestsOnly) {
  const auto [model, lane] = lane_of({0, {}, 0, 4});
  LaneTimes times;
  const auto broken = lane->run({{Tensor::of<float>({1}, {-1})}, ServeClock::now() + 1s}, times);
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.refusal().kind, RefusalKind::kFailed);
  EXPECT_TRUE(lane->run({{Tensor::of<float>({1}, {1})}, ServeClock::now() + 1s}, times).ok());
}

// Two requests in one batch, of three rows and of one; a meter that counts a joule a reading.
TEST(Lane, ChargesARequestForItsRowsOfABatch) {
  std::atomic<int> readings = 0;
  const auto ledger =
      std::make_shared<EnergyLedger>([&readings] { return std::optional<double>(readings++); });
  const auto [model, lane] = lane_of({4, {}, 10'000'000, 16}, 0ms, ledger);
  const auto ask = [&lane = lane](int64_t rows, RequestEnergy& energy) {
    LaneTimes times;
    const Tensor input = *Tensor::allocate(DType::kFloat32, {rows, 1});
    EXPECT_TRUE(lane->run({{input}, ServeClock::now() + 60s, true}, times, &energy).ok());
    EXPECT_EQ(times.rows, 4);
  };
  RequestEnergy three, one;
  std::thread other([&] { ask(3, three); });
  ask(1, one);
  other.join();
  EXPECT_EQ(model->runs_, 1);
  ASSERT_TRUE(three.measured && one.measured);
  EXPECT_GT(one.window_s, 0);
  EXPECT_GE(one.readings, 1);
  EXPECT_NEAR(three.energy_j, 3 * one.energy_j, 1e-9);
  EXPECT_NEAR(lane->energy_j(), three.energy_j + one.energy_j, 1e-9);
  // Who does not ask is charged all the same.
  LaneTimes times;
  const Tensor input = *Tensor::allocate(DType::kFloat32, {4, 1});
  EXPECT_TRUE(lane->run({{input}, ServeClock::now() + 60s}, times).ok());
  EXPECT_GT(lane->energy_j(), three.energy_j + one.energy_j);
}

TEST(Join, RowsComeApartAsTheyWentTogether) {
  const Tensor a = Tensor::of<int16_t>({1, 2}, {1, 2}),
               b = Tensor::of<int16_t>({2, 2}, {3, 4, 5, 6});
  const Tensor* const parts[] = {&a, &b};
  const auto whole = join_rows(parts);
  ASSERT_TRUE(whole.ok());
  EXPECT_TRUE(identical(*copy_rows(*whole, 0, 1), a));
  EXPECT_TRUE(identical(*copy_rows(*whole, 1, 2), b));
  const Tensor words = Tensor::strings({2}, {"a", "b"}), word = Tensor::strings({1}, {"c"});
  const Tensor* const texts[] = {&words, &word};
  EXPECT_EQ(copy_rows(*join_rows(texts), 1, 2)->string_elements(),
            (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(form_of({&a, 1}), form_of({&b, 1}));
  EXPECT_NE(form_of({&a, 1}), form_of({&word, 1}));
}

}  // namespace
}  // namespace edgewright
