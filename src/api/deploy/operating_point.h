#pragma once

#include <string>
#include <vector>

#include "device/device.h"

namespace edgewright {

// One inference on some cores of a cluster at one frequency.
struct OperatingChoice {
  std::string cluster;
  int cores = 0;
  int64_t frequency_khz = 0;
  double latency_us = 0, energy_mj = 0;
};

// Time of the inference on all cores of the fastest cluster at its highest frequency, and the part
// of it that waits for memory, which no core clock changes.
struct InferenceTime {
  double total_us = 0, memory_us = 0;
};

// Every cluster, number of cores and operating point with a known power, least energy first.
// Computing time grows as the product of cores, capacity and frequency falls; energy is the busy
// cores' power times the latency.
std::vector<OperatingChoice> operating_choices(const Device& device, const InferenceTime& time);

}  // namespace edgewright
