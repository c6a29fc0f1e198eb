#include "device/energy_model.h"

#include <algorithm>
#include <limits>

namespace edgewright {
namespace {

int64_t top_frequency_khz(const Cluster& cluster) {
  return cluster.operating_points.empty() ? 0 : cluster.operating_points.back().frequency_khz;
}

}  // namespace

void normalize_capacities(Device& device) {
  const bool any_frequency = std::ranges::any_of(
      device.clusters, [](const Cluster& cluster) { return top_frequency_khz(cluster) > 0; });
  const auto speed = [any_frequency](const Cluster& cluster) {
    return cluster.dmips_per_mhz * (any_frequency ? top_frequency_khz(cluster) : 1);
  };
  int64_t fastest = 0;
  for (const Cluster& cluster : device.clusters) fastest = std::max(fastest, speed(cluster));
  for (Cluster& cluster : device.clusters) {
    cluster.capacity = fastest == 0 ? 0 : (speed(cluster) << 10) / fastest;
  }
}

int64_t kernel_power_uw(int64_t coefficient, int64_t frequency_khz, int64_t voltage_uv) {
  const int64_t millivolt = voltage_uv / 1000, megahertz = frequency_khz / 1000;
  return coefficient * millivolt * millivolt * megahertz / 1'000'000;
}

int64_t performance_at(const Cluster& cluster, int64_t frequency_khz) {
  const int64_t top = top_frequency_khz(cluster);
  return top == 0 ? 0 : cluster.capacity * frequency_khz / top;
}

int64_t cost_at(const Cluster& cluster, const OperatingPoint& point) {
  const int64_t performance = performance_at(cluster, point.frequency_khz);
  return performance == 0 ? 0 : point.power_uw * 10 / performance;
}

void mark_inefficient(Cluster& cluster) {
  int64_t cheapest = std::numeric_limits<int64_t>::max();
  for (auto point = cluster.operating_points.rbegin(); point != cluster.operating_points.rend();
       ++point) {
    const int64_t cost = cost_at(cluster, *point);
    point->inefficient = cost > 0 && cost >= cheapest;
    if (cost > 0) cheapest = std::min(cheapest, cost);
  }
}

void apply_kernel_powers(Cluster& cluster) {
  const auto coefficient = static_cast<int64_t>(cluster.dynamic_coefficient);
  for (OperatingPoint& point : cluster.operating_points) {
    if (coefficient == 0 || point.voltage_uv == 0) continue;
    point.power_uw = kernel_power_uw(coefficient, point.frequency_khz, point.voltage_uv);
    cluster.power_source = "C f V^2 of the device tree";
  }
  mark_inefficient(cluster);
}

double modelled_power_uw(const Cluster& cluster, const OperatingPoint& point) {
  const double volts = static_cast<double>(point.voltage_uv) * 1e-6;
  const double megahertz = static_cast<double>(point.frequency_khz) * 1e-3;
  return cluster.dynamic_coefficient * megahertz * volts * volts + cluster.static_uw_per_v * volts;
}

}  // namespace edgewright
