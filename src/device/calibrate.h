#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "device/device.h"

namespace edgewright {

// One measured frequency of one CPU with nothing else running.
struct PowerSample {
  int64_t cpu = 0, frequency_khz = 0;
  double power_mw = 0;
  double speed = 0;  // benchmark iterations per second; 0: not measured
};

// A CSV file with the columns "CPU", "Frequency (kHz)" and "Power (mW)", and where measured
// "CoreMarks (iter/s)", as freqbench writes it. kBadInput with the line.
Result<std::vector<PowerSample>> parse_power_samples(std::string_view text, std::string_view file);

// {CPU, kHz} -> uV from words "CPU.KHZ=UV".
using VoltageTable = std::map<std::pair<int64_t, int64_t>, int64_t>;
Result<VoltageTable> parse_voltages(std::string_view text, std::string_view file);

// Fits the power of every cluster that was measured. With voltages the operating points carry the
// fitted C f V^2 + k V; without, the measured table. Frequencies that the device lacked are added.
// The fit minimises the mean absolute relative error: low frequencies, where a device spends its
// day, weigh as much as high ones, and a few disturbed measurements do not pull it away; those are
// said. C and k are not negative.
struct Calibration {
  Device device;
  std::vector<ClusterFit> fits;
  std::vector<std::string> warnings;
};
Result<Calibration> calibrate(Device device, const std::vector<PowerSample>& samples,
                              const VoltageTable& voltages, double suspicious_ratio,
                              const std::string& source);

}  // namespace edgewright
