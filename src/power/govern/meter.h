#pragma once

#include <string>
#include <vector>

#include "power/govern/inventory.h"

namespace edgewright {

// Energy since the first reading, from what the machine offers: counters where there are any, else
// sensors of power, integrated by trapezoids. A source that fails is left out from then on.
class EnergyMeter {
 public:
  EnergyMeter(SystemFiles& files, const std::vector<PowerSource>& sources);

  // Reads counter, range and time together. Call at least every safe_gap_s().
  void sample(double now_s);
  double energy_j() const { return energy_j_; }
  double window_s() const { return last_s_ - first_s_; }
  int64_t samples() const { return samples_; }
  // Whether a source has been read twice and none was lost.
  bool working() const;
  // How the figure came about, for whoever reads it.
  std::string method() const;
  // So long a counter cannot wrap unseen at a power; infinite for sensors.
  double safe_gap_s(double max_power_w) const;
  // Readings that came later than that and may hide a wrap.
  int64_t doubtful() const { return doubtful_; }

 private:
  struct Reading {
    PowerSource source;
    double range_j = 0, last_j = 0, last_w = 0;
    bool begun = false, lost = false;
  };
  void sample_counter(Reading& reading, double elapsed_s);
  void sample_power(Reading& reading, double elapsed_s);

  SystemFiles& files_;
  std::vector<Reading> readings_;
  double energy_j_ = 0, first_s_ = 0, last_s_ = 0, highest_w_ = 0;
  int64_t samples_ = 0, doubtful_ = 0;
};

}  // namespace edgewright
