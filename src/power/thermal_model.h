#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "device/device.h"

namespace edgewright {

// Heat flow through lumps of material: C dT/dt = P - G (T - T_ambient). Temperatures in degrees
// Celsius, power in watts, time in seconds.
class ThermalModel {
 public:
  // kBadInput when no path leads from a node to the ambient: it would heat up without end.
  static Result<ThermalModel> create(const ThermalNetwork& network);

  size_t size() const { return capacities_.size(); }
  // Index of a node; kBadInput naming it when there is none.
  Result<size_t> node(const std::string& name) const;
  const std::vector<std::string>& names() const { return names_; }

  // Where temperatures settle under constant power.
  std::vector<double> steady_state(std::span<const double> power_w, double ambient_c) const;

  // As above when power itself grows with temperature. kCheckFailed ("thermal runaway") when there
  // is no such state below 300 C. `power_at` adds its power to the given vector.
  template <class PowerAt>
  Result<std::vector<double>> steady_state_with_feedback(std::span<const double> power_w,
                                                         double ambient_c, PowerAt power_at) const;

  // One step of the backward Euler method, which never oscillates and conserves energy exactly:
  // heat in = heat stored + heat given to the ambient.
  void step(std::span<double> temperatures_c, std::span<const double> power_w, double ambient_c,
            double step_s);
  // What went to the ambient during the last step, in joules.
  double given_off_j() const { return given_off_j_; }
  // Heat held at these temperatures above those of zero Celsius.
  double stored_j(std::span<const double> temperatures_c) const;

 private:
  std::vector<std::string> names_;
  std::vector<double> capacities_;
  std::vector<double> conductances_;  // row-major matrix G, the way to the ambient on its diagonal
  std::vector<double> to_ambient_;
  std::vector<double> steady_inverse_;
  std::map<double, std::vector<double>> step_inverses_;  // by step length: (C / dt + G)^-1
  std::vector<double> scratch_;
  double given_off_j_ = 0;
};

Error thermal_runaway(double temperature_c);

template <class PowerAt>
Result<std::vector<double>> ThermalModel::steady_state_with_feedback(
    std::span<const double> power_w, double ambient_c, PowerAt power_at) const {
  constexpr int kIterations = 500;
  constexpr double kTolerance = 1e-9, kLimit = 300;
  std::vector<double> temperatures(size(), ambient_c), power(size());
  for (int i = 0; i < kIterations; ++i) {
    power.assign(power_w.begin(), power_w.end());
    power_at(temperatures, power);
    const std::vector<double> next = steady_state(power, ambient_c);
    double change = 0, hottest = ambient_c;
    for (size_t n = 0; n < size(); ++n) {
      change = std::max(change, next[n] > temperatures[n] ? next[n] - temperatures[n]
                                                          : temperatures[n] - next[n]);
      hottest = std::max(hottest, next[n]);
    }
    temperatures = next;
    if (!(hottest < kLimit)) return thermal_runaway(hottest);
    if (change < kTolerance) return temperatures;
  }
  return thermal_runaway(temperatures[0]);
}

}  // namespace edgewright
