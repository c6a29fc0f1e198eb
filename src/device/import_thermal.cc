#include "device/import_thermal.h"

#include <algorithm>

namespace edgewright {
namespace {

using Node = DeviceTree::Node;

ThermalTrip read_trip(const DeviceTree& tree, Node node) {
  // Temperatures are signed 32-bit millidegrees.
  const auto signed_cell = [&](const char* property) {
    return static_cast<int32_t>(tree.cell(node, property).value_or(0));
  };
  return {.name = std::string(tree.name(node)),
          .type = tree.text(node, "type"),
          .temperature_mc = std::clamp(signed_cell("temperature"), -273150, 1'000'000),
          .hysteresis_mc = std::clamp(signed_cell("hysteresis"), 0, 1'000'000)};
}

CoolingMap read_map(const DeviceTree& tree, Node node,
                    const std::map<uint32_t, size_t>& cluster_of_handle) {
  CoolingMap map;
  const auto trip = tree.by_phandle(tree.cell(node, "trip").value_or(0));
  if (trip) map.trip = tree.name(*trip);
  map.contribution = std::min<int64_t>(tree.cell(node, "contribution").value_or(0), 1'000'000);
  // Each cooler is a phandle and two cells: the lowest and highest state allowed.
  const auto cells = tree.cells(node, "cooling-device");
  for (size_t i = 0; i < cells.size(); i += 3) {
    const auto cluster = cluster_of_handle.find(cells[i]);
    const auto device = tree.by_phandle(cells[i]);
    std::string name = cluster != cluster_of_handle.end()
                           ? fmt::format("cluster:{}", cluster->second)
                       : device ? std::string(tree.name(*device))
                                : "unknown";
    if (std::ranges::find(map.coolers, name) == map.coolers.end()) {
      map.coolers.push_back(std::move(name));
    }
  }
  return map;
}

}  // namespace

std::vector<ThermalZone> import_thermal_zones(const DeviceTree& tree,
                                              const std::map<uint32_t, size_t>& cluster_of_handle) {
  std::vector<ThermalZone> zones;
  const auto parent = tree.find("thermal-zones");
  if (!parent) return zones;
  for (const Node node : tree.children(*parent)) {
    if (!tree.enabled(node)) continue;
    ThermalZone zone;
    zone.name = tree.name(node);
    zone.sustainable_power_mw =
        std::min<int64_t>(tree.cell(node, "sustainable-power").value_or(0), 10'000'000);
    zone.polling_ms = std::min<int64_t>(tree.cell(node, "polling-delay").value_or(0), 1'000'000);
    zone.polling_passive_ms =
        std::min<int64_t>(tree.cell(node, "polling-delay-passive").value_or(0), 1'000'000);
    if (const auto trips = tree.child(node, "trips")) {
      for (const Node trip : tree.children(*trips)) zone.trips.push_back(read_trip(tree, trip));
    }
    if (const auto maps = tree.child(node, "cooling-maps")) {
      for (const Node map : tree.children(*maps)) {
        zone.cooling.push_back(read_map(tree, map, cluster_of_handle));
      }
    }
    zones.push_back(std::move(zone));
  }
  return zones;
}

}  // namespace edgewright
