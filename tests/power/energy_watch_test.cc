#include "api/energy_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace edgewright {
namespace {

class EnergyWatchTest : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    const auto file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  const std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / "edgewright_energy_watch_test";
};

TEST_F(EnergyWatchTest, SharesACounterAmongTokensAndSaysHow) {
  const std::string counter = "sys/class/powercap/intel-rapl:0/";
  put(counter + "energy_uj", "1000000");
  put(counter + "max_energy_range_uj", "262143328850");
  put("sys/class/thermal/thermal_zone0/type", "cpu");
  put("sys/class/thermal/thermal_zone0/temp", "61000");
  EnergyWatch watch(root_.string());
  for (int run = 1; run <= 2; ++run) {
    watch.begin();
    put(counter + "energy_uj", std::to_string(1000000 + run * 500000));
    const EnergyFigures figures = watch.end(100);
    EXPECT_TRUE(figures.measured);
    EXPECT_DOUBLE_EQ(figures.energy_j, 0.5);
    EXPECT_DOUBLE_EQ(figures.mj_per_unit, 5);
    EXPECT_GT(figures.window_s, 0);
    EXPECT_GE(figures.samples, 2);
    EXPECT_EQ(figures.hottest_c, 61);
    EXPECT_NE(figures.method.find("energy counter"), std::string::npos) << figures.method;
    EXPECT_NE(figures.method.find("samples/s"), std::string::npos) << figures.method;
  }
}

TEST_F(EnergyWatchTest, ACounterThatIsLostMeasuresNothing) {
  put("sys/class/powercap/intel-rapl:0/energy_uj", "1000000");
  put("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850");
  EnergyWatch watch(root_.string());
  watch.begin();
  std::filesystem::remove_all(root_);
  EXPECT_FALSE(watch.end(1).measured);
}

TEST_F(EnergyWatchTest, SaysThatThereIsNothingToMeasureWith) {
  std::filesystem::create_directories(root_);
  EnergyWatch watch(root_.string());
  watch.begin();
  const EnergyFigures figures = watch.end(1);
  EXPECT_FALSE(figures.measured);
  EXPECT_TRUE(figures.method.starts_with("not measured")) << figures.method;
}

}  // namespace
}  // namespace edgewright
