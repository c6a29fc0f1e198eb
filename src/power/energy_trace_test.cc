#include "power/energy_trace.h"

#include <gtest/gtest.h>

#include <bit>

namespace edgewright {
namespace {

TraceIntegral integral(std::string_view csv, const IntegrationOptions& options = {}) {
  const auto trace = parse_trace_csv(csv, "trace.csv");
  EXPECT_TRUE(trace.ok()) << trace.error().message;
  const auto result = integrate(*trace, options);
  EXPECT_TRUE(result.ok()) << result.error().message;
  return *result;
}

TEST(EnergyTrace, IntegratesTrapezoidsAndCutsAtWindows) {
  const std::string csv = "time_ms,power_mw\n0,1000\n1000,3000\n2000,3000\n";
  EXPECT_DOUBLE_EQ(integral(csv).windows.at(0).energy_uj, 5e6);
  IntegrationOptions options;
  options.windows = {{0.5, 1.5}, {0, 0.25}};
  const auto windows = integral(csv, options).windows;
  EXPECT_DOUBLE_EQ(windows.at(0).energy_uj, 2.5e6 / 2 + 1.5e6);
  EXPECT_DOUBLE_EQ(windows.at(1).energy_uj, 1.25e6 / 4);
}

TEST(EnergyTrace, TakesEqualStampsAsJumps) {
  const auto result = integral("time_s,power_w\n0,1\n1,1\n1,5\n2,5\n");
  EXPECT_DOUBLE_EQ(result.windows.at(0).energy_uj, 6e6);
  EXPECT_EQ(result.duplicates, 1);
}

TEST(EnergyTrace, SaysWhereSamplesAreMissing) {
  const auto result = integral("time_s,power_w\n0,1\n1,1\n2,1\n3,3\n13,1\n14,1\n");
  ASSERT_EQ(result.gaps.size(), 1);
  EXPECT_EQ(result.gaps[0].start_s, 3);
  EXPECT_DOUBLE_EQ(result.gaps[0].energy_uj, 20e6);
  EXPECT_DOUBLE_EQ(result.gaps[0].uncertainty_uj, 10e6);
  EXPECT_DOUBLE_EQ(result.windows.at(0).uncertainty_uj, 10e6);
}

TEST(EnergyTrace, UnwrapsCountersAndTellsTwoWraps) {
  IntegrationOptions options;
  options.counter_range_j = 100;
  const std::string csv = "time_s,energy_j\n0,10\n1,60\n2,10\n3,60\n";
  EXPECT_DOUBLE_EQ(integral(csv, options).windows.at(0).energy_uj, 150e6);
  EXPECT_EQ(integral(csv, options).wraps, 1);
  // 50 W for 10 s pass the range of 100 J several times between two readings.
  const auto blind = integral(csv + "13,70\n", options);
  ASSERT_EQ(blind.gaps.size(), 1);
  EXPECT_NE(blind.gaps[0].reason.find("wrapped more than once"), std::string::npos);
  EXPECT_GT(blind.gaps[0].uncertainty_uj, 0);
  EXPECT_DOUBLE_EQ(longest_safe_gap_s(100, 50), 2);
}

TEST(EnergyTrace, RefusesTimeThatRunsBack) {
  const auto trace = parse_trace_csv("time_s,power_w\n1,1\n0,1\n", "trace.csv");
  ASSERT_FALSE(trace.ok());
  EXPECT_TRUE(trace.error().message.starts_with("trace.csv:3:")) << trace.error().message;
}

std::string tiny_file(float rate, const std::vector<float>& values) {
  std::string bytes = "\xF1";
  const auto append = [&](float value) {
    const auto word = std::bit_cast<uint32_t>(value);
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(word >> (8 * i) & 0xFF);
  };
  append(rate);
  for (const float value : values) append(value);
  return bytes;
}

TEST(MlperfTiny, SumsTheSamplesOfEachWindow) {
  const auto trace = parse_trace_mlperf_tiny(tiny_file(4, {1, 2, 4, 8}), "energy.bin");
  ASSERT_TRUE(trace.ok());
  const auto windows = parse_windows("[0.25, 0.75, 0.5, 0.875]", "stamps.json");
  ASSERT_TRUE(windows.ok());
  const auto result = integrate(*trace, {.windows = *windows});
  ASSERT_TRUE(result.ok());
  EXPECT_DOUBLE_EQ(result->windows.at(0).energy_uj, 6);
  EXPECT_DOUBLE_EQ(result->windows.at(1).energy_uj, 8);
}

TEST(MlperfTiny, RefusesOtherFiles) {
  EXPECT_FALSE(parse_trace_mlperf_tiny("\xF2....", "e").ok());
  EXPECT_FALSE(parse_trace_mlperf_tiny(tiny_file(0, {1}), "e").ok());
  EXPECT_FALSE(parse_trace_mlperf_tiny(tiny_file(10, {1}) + "x", "e").ok());
  EXPECT_FALSE(parse_windows("[1, 2, 3]", "w").ok());
  EXPECT_FALSE(parse_windows("{}", "w").ok());
}

}  // namespace
}  // namespace edgewright
