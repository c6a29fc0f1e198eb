#include "power/thermal_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace edgewright {
namespace {

ThermalNetwork phone() {
  ThermalNetwork network;
  network.nodes = {{"die", 0.5}, {"package", 12}, {"case", 90}};
  network.links = {{"die", "package", 0.4}, {"package", "case", 0.333}, {"case", "ambient", 0.125}};
  return network;
}

// Resistances in series: 5 W over 8 + 3.003 + 2.5 K/W.
TEST(ThermalModel, SettlesWhereResistancesInSeriesSay) {
  auto model = ThermalModel::create(phone());
  ASSERT_TRUE(model.ok());
  const auto temperatures = model->steady_state(std::vector<double>{5, 0, 0}, 25);
  EXPECT_NEAR(temperatures[2], 25 + 5 / 0.125, 1e-9);
  EXPECT_NEAR(temperatures[0], 25 + 5 / 0.125 + 5 / 0.333 + 5 / 0.4, 1e-9);
}

// One node has the closed form T = T_ambient + P R (1 - exp(-t / R C)).
TEST(ThermalModel, FollowsTheExponentialOfOneNode) {
  ThermalNetwork network;
  network.nodes = {{"lump", 20}};
  network.links = {{"lump", "ambient", 0.2}};
  auto model = ThermalModel::create(network);
  ASSERT_TRUE(model.ok());
  std::vector<double> temperatures = {25};
  const std::vector<double> power = {3};
  for (int i = 0; i < 10'000; ++i) model->step(temperatures, power, 25, 0.01);
  EXPECT_NEAR(temperatures[0], 25 + 15 * (1 - std::exp(-1)), 0.002);
}

TEST(ThermalModel, ConservesEnergy) {
  auto model = ThermalModel::create(phone());
  ASSERT_TRUE(model.ok());
  std::vector<double> temperatures = {25, 25, 25};
  const double before_j = model->stored_j(temperatures);
  double in_j = 0, out_j = 0;
  for (int i = 0; i < 36'000; ++i) {
    const std::vector<double> power = {i % 700 < 300 ? 6.0 : 0.2, 0.3, 0};
    const double ambient = i < 20'000 ? 25 : 10;
    model->step(temperatures, power, ambient, 0.1);
    in_j += (power[0] + power[1] + power[2]) * 0.1;
    out_j += model->given_off_j();
  }
  EXPECT_NEAR((in_j - out_j - (model->stored_j(temperatures) - before_j)) / in_j, 0, 1e-9);
}

TEST(ThermalModel, LeakageConvergesOrIsCalledRunaway) {
  auto model = ThermalModel::create(phone());
  ASSERT_TRUE(model.ok());
  const std::vector<double> power = {2, 0, 0};
  const auto leakage = [](double watts) {
    return [watts](const std::vector<double>& temperatures, std::vector<double>& total) {
      total[0] += watts * std::exp(0.036 * (temperatures[0] - 25));
    };
  };
  const auto mild = model->steady_state_with_feedback(power, 25, leakage(0.1));
  ASSERT_TRUE(mild.ok());
  // It is a fixed point: the power at these temperatures gives these temperatures.
  std::vector<double> total = power;
  leakage(0.1)(*mild, total);
  EXPECT_NEAR(model->steady_state(total, 25)[0], (*mild)[0], 1e-6);
  const auto strong = model->steady_state_with_feedback(power, 25, leakage(1.0));
  ASSERT_FALSE(strong.ok());
  EXPECT_NE(strong.error().message.find("thermal runaway"), std::string::npos);
}

TEST(ThermalModel, RefusesNodesThatCannotCool) {
  ThermalNetwork network = phone();
  network.links.pop_back();
  const auto model = ThermalModel::create(network);
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().message.find("ambient"), std::string::npos);
}

}  // namespace
}  // namespace edgewright
