#include "api/deploy/operating_point.h"

#include <algorithm>

namespace edgewright {
namespace {

// Relative speed of one core at its highest frequency.
double capacity_of(const Cluster& cluster) {
  return cluster.capacity > 0 ? static_cast<double>(cluster.capacity) : 1024;
}

double top_khz(const Cluster& cluster) {
  return cluster.operating_points.empty()
             ? 1
             : static_cast<double>(cluster.operating_points.back().frequency_khz);
}

double top_speed(const Cluster& cluster) {
  return capacity_of(cluster) * static_cast<double>(std::max<size_t>(cluster.cpus.size(), 1));
}

}  // namespace

std::vector<OperatingChoice> operating_choices(const Device& device, const InferenceTime& time) {
  std::vector<OperatingChoice> choices;
  double fastest = 0;
  for (const Cluster& cluster : device.clusters) fastest = std::max(fastest, top_speed(cluster));
  for (const Cluster& cluster : device.clusters) {
    for (size_t cores = 1; cores <= cluster.cpus.size(); ++cores) {
      for (const OperatingPoint& point : cluster.operating_points) {
        if (point.power_uw <= 0) continue;
        const double speed = capacity_of(cluster) * static_cast<double>(cores) *
                             static_cast<double>(point.frequency_khz) / top_khz(cluster);
        OperatingChoice choice{cluster.name, static_cast<int>(cores), point.frequency_khz};
        choice.latency_us = time.memory_us + (time.total_us - time.memory_us) * fastest / speed;
        // uW x us = 1e-12 J = 1e-9 mJ.
        choice.energy_mj = static_cast<double>(point.power_uw) * static_cast<double>(cores) *
                           choice.latency_us * 1e-9;
        choices.push_back(std::move(choice));
      }
    }
  }
  std::ranges::stable_sort(choices, {}, &OperatingChoice::energy_mj);
  return choices;
}

}  // namespace edgewright
