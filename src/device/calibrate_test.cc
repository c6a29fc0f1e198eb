#include "device/calibrate.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

Device one_cluster() {
  Device device;
  device.name = "bench";
  device.clusters.push_back({.name = "core", .cpus = {0, 1}, .dynamic_coefficient = 50});
  return device;
}

// Powers made from C = 100 uW / (MHz V^2) and k = 40 mW / V at a frequency and voltage, as measured
// and stated.
void measure(int64_t khz, int64_t uv, double disturbed, std::vector<PowerSample>& samples,
             VoltageTable& voltages) {
  const double volts = static_cast<double>(uv) * 1e-6;
  const double mw = 0.1 * static_cast<double>(khz) / 1000 * volts * volts + 40 * volts;
  samples.push_back({.cpu = 1, .frequency_khz = khz, .power_mw = mw * disturbed});
  voltages[{1, khz}] = uv;
}

// They come back exactly.
TEST(Calibrate, FindsTheCoefficientsThatMadeThePowers) {
  std::vector<PowerSample> samples;
  VoltageTable voltages;
  for (int i = 0; i < 5; ++i) {
    measure(400'000 + 300'000 * i, 600'000 + 70'000 * i, 1, samples, voltages);
  }
  const auto result = calibrate(one_cluster(), samples, voltages, 1.3, "bench");
  ASSERT_TRUE(result.ok());
  const ClusterFit& fit = result->fits.at(0);
  EXPECT_NEAR(fit.dynamic_coefficient, 100, 1e-6);
  EXPECT_NEAR(fit.static_uw_per_v, 40'000, 1e-3);
  EXPECT_LT(fit.error, 1e-9);
  EXPECT_TRUE(fit.suspicious);  // 50 is stated, and C f V^2 alone gives far more than 100
  EXPECT_EQ(result->device.clusters[0].operating_points.size(), 5);
}

// What ran beside a measurement does not bend the fit of the others, and is said.
TEST(Calibrate, DisturbedMeasurementsAreSaidAndDoNotCount) {
  std::vector<PowerSample> samples;
  VoltageTable voltages;
  for (int i = 0; i < 9; ++i) {
    measure(400'000 + 200'000 * i, 600'000 + 40'000 * i, i % 4 == 1 ? 2 : 1, samples, voltages);
  }
  const auto result = calibrate(one_cluster(), samples, voltages, 1.3, "bench");
  ASSERT_TRUE(result.ok());
  const ClusterFit& fit = result->fits.at(0);
  EXPECT_NEAR(fit.dynamic_coefficient, 100, 1e-6);
  EXPECT_NEAR(fit.static_uw_per_v, 40'000, 1e-3);
  EXPECT_EQ(fit.outliers_khz, (std::vector<int64_t>{600'000, 1'400'000}));
  EXPECT_LT(fit.error_without_outliers, 1e-9);
  EXPECT_NEAR(fit.error, 2 * 0.5 / 9, 1e-9);
}

TEST(Calibrate, CarriesTheTableWhereVoltagesAreMissing) {
  const auto result = calibrate(
      one_cluster(), {{.cpu = 0, .frequency_khz = 300'000, .power_mw = 12.5}}, {}, 1.3, "bench");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->fits.at(0).table_only);
  EXPECT_EQ(result->device.clusters[0].operating_points.at(0).power_uw, 12'500);
  EXPECT_EQ(result->device.clusters[0].power_source, "the measured table of bench");
  EXPECT_EQ(result->warnings.size(), 1);
}

// A static term that the data would make negative is left out.
TEST(Calibrate, CoefficientsAreNotNegative) {
  std::vector<PowerSample> samples;
  VoltageTable voltages;
  for (int i = 1; i <= 4; ++i) {
    const int64_t khz = 500'000 * i;
    samples.push_back({.cpu = 0, .frequency_khz = khz, .power_mw = 0.1 * i * i * 500 - 1.0});
    voltages[{0, khz}] = 1'000'000;
  }
  const auto result = calibrate(one_cluster(), samples, voltages, 1.3, "bench");
  ASSERT_TRUE(result.ok());
  EXPECT_GE(result->fits.at(0).dynamic_coefficient, 0);
  EXPECT_EQ(result->fits.at(0).static_uw_per_v, 0);
}

TEST(Calibrate, RefusesACpuThatTheDeviceLacks) {
  const auto result = calibrate(
      one_cluster(), {{.cpu = 7, .frequency_khz = 300'000, .power_mw = 12.5}}, {}, 1.3, "bench");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kBadInput);
}

TEST(PowerSamples, ReadsColumnsByNameAndRefusesNonsenseWithItsLine) {
  const auto samples =
      parse_power_samples("CPU,Power (mW),Frequency (kHz)\n1,41.5,300000\r\n", "a.csv");
  ASSERT_TRUE(samples.ok());
  EXPECT_EQ(samples->at(0).frequency_khz, 300'000);
  EXPECT_EQ(samples->at(0).power_mw, 41.5);
  const auto bad = parse_power_samples("CPU,Power (mW),Frequency (kHz)\n1,-4,300000\n", "a.csv");
  ASSERT_FALSE(bad.ok());
  EXPECT_TRUE(bad.error().message.starts_with("a.csv:2:")) << bad.error().message;
}

TEST(Voltages, ReadsWordsAndRefusesOthers) {
  const auto table = parse_voltages("1.300000=600000 4.710400=756000\n", "v.txt");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->at({4, 710'400}), 756'000);
  EXPECT_FALSE(parse_voltages("300000=600000", "v.txt").ok());
}

}  // namespace
}  // namespace edgewright
