#include "runtime/autotune.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"

namespace edgewright {
namespace {

class TimingFile : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "edgewright_" +
            testing::UnitTest::GetInstance()->current_test_info()->name() + ".json";
    std::filesystem::remove(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_;
};

TEST_F(TimingFile, KeepsTimesBetweenProcesses) {
  TimingCache cache(path_);
  cache.put("a", {1.5, 40});
  ASSERT_TRUE(cache.save().ok());
  TimingCache other(path_);
  other.put("b", {2.5, 0});
  // Another process adds an entry meanwhile.
  TimingCache third(path_);
  third.put("c", {3.5, 1});
  ASSERT_TRUE(third.save().ok());
  ASSERT_TRUE(other.save().ok());
  const TimingCache last(path_);
  EXPECT_EQ(last.size(), 3u);
  EXPECT_EQ(last.find("a"), (KernelTimes{1.5, 40}));
  EXPECT_EQ(last.find("d"), std::nullopt);
}

TEST_F(TimingFile, IgnoresWhatItCannotUse) {
  const std::string_view texts[] = {
      "",
      "{",
      "[]",
      "null",
      "{\"schema\": 7}",
      "{\"schema\": \"edgewright.timings/9\"}",
      "{\"schema\": \"edgewright.timings/4\", \"times_us\": [1]}",
      "{\"schema\": \"edgewright.timings/4\", \"times_us\": {\"a\": \"fast\", \"b\": -1, "
      "\"c\": [1], \"d\": [-1, 2], \"e\": [1, \"x\"]}}"};
  for (const std::string_view text : texts) {
    ASSERT_TRUE(write_file(path_, text).ok());
    EXPECT_EQ(TimingCache(path_).size(), 0u) << text;
  }
}

struct Product {
  Tensor weights = *Tensor::allocate(DType::kFloat32, {32, 16});
  Attributes attributes;
  KernelRequest request() {
    const TensorSpec x{DType::kFloat32, {8, 32}}, y{DType::kFloat32, {8, 16}};
    return {
        "", "MatMul", &attributes, {x, {DType::kFloat32, {32, 16}, Layout::kPlain, &weights}}, {y}};
  }
};

TEST(Autotune, TakesTheFasterOfTheCachedTimesWithoutMeasuring) {
  Product product;
  const KernelRequest request = product.request();
  const auto all = find_implementations("", "MatMul");
  ASSERT_GE(all.size(), 2u);
  TimingCache cache;
  cache.put(timing_key(request, *all[0]), {20.0, 0});
  cache.put(timing_key(request, *all[1]), {10.0, 0});
  Autotuner tuner(cache);
  auto chosen = tuner.choose(request, std::span(all).first(2));
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ((*chosen)->name, all[1]->name);
  EXPECT_EQ(tuner.measured(), 0u);
}

// One layer with a generated kernel that is `gain_us` faster a run and takes 400 us to make.
std::string_view name_after_reconsidering(double gain_us, bool* reconsidered) {
  Product product;
  const KernelRequest request = product.request();
  const KernelImplementation* known = find_implementations("", "MatMul")[0];
  KernelImplementation ours = *known, generated = *known;
  ours.name = "matmul_test_hwy";
  generated.name = "matmul_test_onednn";
  TimingCache cache;
  cache.put(timing_key(request, ours), {300, 1});
  cache.put(timing_key(request, generated), {300 - gain_us, 401});
  Autotuner tuner(cache);
  const std::vector<const KernelImplementation*> both = {&ours, &generated};
  const auto alone = tuner.choose(request, both);
  EXPECT_EQ((*alone)->name, generated.name);
  *reconsidered = tuner.reconsider();
  const auto chosen = tuner.choose(request, both);
  EXPECT_FALSE(tuner.reconsider());                                 // the second answer stands
  EXPECT_EQ((*tuner.choose(request, both))->name, generated.name);  // and the next plan starts anew
  return (*chosen)->name == ours.name ? "ours" : "generated";
}

TEST(Autotune, LeavesALibraryOutThatCostsThePlanMoreThanItWins) {
  bool reconsidered = false;
  // Ten runs win 10 x 60 us, the library's start and the kernel's making cost 1,200 us.
  EXPECT_EQ(name_after_reconsidering(60, &reconsidered), "ours");
  EXPECT_TRUE(reconsidered);
  EXPECT_EQ(name_after_reconsidering(150, &reconsidered), "generated");
  EXPECT_FALSE(reconsidered);
}

TEST(Autotune, MeasuresWhatTheCacheDoesNotHave) {
  Product product;
  const KernelRequest request = product.request();
  const auto all = find_implementations("", "MatMul");
  TimingCache cache;
  // Times of another version, or for other shapes, are other entries.
  KernelRequest larger = request;
  larger.inputs[0].dims = {16, 32};
  EXPECT_NE(timing_key(larger, *all[0]), timing_key(request, *all[0]));
  KernelImplementation newer = *all[0];
  ++newer.version;
  EXPECT_NE(timing_key(request, newer), timing_key(request, *all[0]));
  Autotuner tuner(cache);
  ASSERT_TRUE(tuner.choose(request, std::span(all).first(2)).ok());
  EXPECT_EQ(tuner.measured(), 2u);
  // What was measured on a busy machine is not kept but measured again.
  const size_t kept = cache.size();
  EXPECT_LE(kept, 2u);
  ASSERT_TRUE(tuner.choose(request, std::span(all).first(2)).ok());
  EXPECT_EQ(tuner.measured(), 4u - kept);
}

TEST(Autotune, OnlyTimesOfAQuietMachineAreSteady) {
  const double quiet[] = {10.0, 10.2, 10.4, 11.0, 30.0};
  const double disturbed[] = {10.0, 14.0, 15.0, 15.0, 16.0};
  EXPECT_TRUE(is_steady(quiet, 1.0));
  EXPECT_FALSE(is_steady(quiet, 0.6));  // something else had the processor
  EXPECT_FALSE(is_steady(disturbed, 1.0));
  EXPECT_FALSE(is_steady({}, 1.0));
}

}  // namespace
}  // namespace edgewright
