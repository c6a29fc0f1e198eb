#pragma once

#include <map>
#include <vector>

#include "device/device.h"
#include "device/device_tree.h"

namespace edgewright {

// The zones below the tree's node `thermal-zones`. `cluster_of_handle`: phandle of a CPU -> index
// of its cluster, whose coolers are then called "cluster:INDEX".
std::vector<ThermalZone> import_thermal_zones(const DeviceTree& tree,
                                              const std::map<uint32_t, size_t>& cluster_of_handle);

}  // namespace edgewright
