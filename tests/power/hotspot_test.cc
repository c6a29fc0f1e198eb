// HotSpot 7 on one 10 mm die at 5 W: our network from the same configuration has to give its
// temperatures.
#include "device/hotspot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "power/thermal_model.h"

namespace edgewright {
namespace {

const std::string kFolder = EDGEWRIGHT_SHARED "/measurements/hotspot/";
constexpr double kKelvin = 273.15;

std::string contents(const std::string& name) {
  std::ifstream file(kFolder + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Hotspot : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "no " << kFolder;
    auto network =
        hotspot_network(contents("phone.config"), "phone.config", contents("die.flp"), "die.flp");
    ASSERT_TRUE(network.ok()) << network.error().message;
    auto model = ThermalModel::create(*network);
    ASSERT_TRUE(model.ok()) << model.error().message;
    model_ = std::move(*model);
    power_.assign(model_->size(), 0);
    power_[*model_->node("die")] = 5;
  }
  std::optional<ThermalModel> model_;
  std::vector<double> power_;
};

TEST_F(Hotspot, SettlesAtTheSameTemperatures) {
  const auto steady = model_->steady_state(power_, 298.15 - kKelvin);
  const std::pair<const char*, double> expected[] = {
      {"die", 338.99}, {"iface_die", 338.93}, {"hsp_die", 338.68}, {"hsink_die", 338.57}};
  for (const auto& [name, kelvin] : expected) {
    std::printf("steady %s %.3f K, HotSpot %.2f K\n", name, steady[*model_->node(name)] + kKelvin,
                kelvin);
    EXPECT_NEAR(steady[*model_->node(name)] + kKelvin, kelvin, 0.1) << name;
  }
}

TEST_F(Hotspot, HeatsUpAlongTheSameCurve) {
  std::istringstream trace(contents("die.ttrace"));
  std::string heading;
  trace >> heading;
  std::vector<double> temperatures(model_->size(), 298.15 - kKelvin);
  double worst = 0, kelvin = 0, ours = 0;
  int seconds = 0;
  while (trace >> kelvin) {
    for (int i = 0; i < 100; ++i) model_->step(temperatures, power_, 298.15 - kKelvin, 0.01);
    ours = temperatures[*model_->node("die")] + kKelvin;
    worst = std::max(worst, std::fabs(ours - kelvin));
    ++seconds;
  }
  ASSERT_EQ(seconds, 600);
  std::printf("at 600 s %.3f K, HotSpot 329.94 K; worst of the curve %.3f K\n", ours, worst);
  EXPECT_NEAR(ours, 329.94, 0.1);
  EXPECT_LE(worst, 0.5);
}

}  // namespace
}  // namespace edgewright
