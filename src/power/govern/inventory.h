#pragma once

#include <string>
#include <vector>

#include "power/govern/system_files.h"

namespace edgewright {

struct FrequencyPolicy {
  std::string folder;  // "sys/devices/system/cpu/cpufreq/policy0"
  std::vector<int> cpus;
  int64_t min_khz = 0, max_khz = 0;    // of the hardware
  std::vector<int64_t> available_khz;  // ascending; empty: any within the bounds
};
struct ZoneFile {
  std::string folder, type;
};
// What the kernel slows down in steps; 0 is as fast as it goes.
struct CoolingDevice {
  std::string folder, type;
  int64_t max_state = 0;
};
struct PowerSource {
  enum class Kind { kRapl, kHwmonPower, kBattery };
  Kind kind = Kind::kRapl;
  std::string name, value_file;
  std::string range_file;    // RAPL: where the counter wraps
  std::string current_file;  // battery and INA3221: beside value_file, which is then a voltage
  double value_w = 1e-6;     // watts, joules or volts per unit of value_file
};
// What this machine offers.
struct Inventory {
  std::vector<FrequencyPolicy> policies;
  std::vector<ZoneFile> zones;
  std::vector<CoolingDevice> cooling_devices;
  std::vector<std::string> frequency_devices;  // devfreq folders
  std::vector<std::string> idle_states;        // folders of CPU 0
  std::vector<PowerSource> sources;
  std::vector<std::string> warnings;  // what is missing, and what is used instead
};
Inventory take_inventory(SystemFiles& files);

// The file that holds the CPUs of a process's control group, where no other process is in it;
// empty where there is none.
std::string cpu_list_of(SystemFiles& files, int pid);

// "0-3,8" as CPU numbers; empty for anything else.
std::vector<int> parse_cpu_list(const std::string& text);

}  // namespace edgewright
