#pragma once

#include <string>

#include "device/device.h"

namespace edgewright {

// Reads the CPUs, operating points, idle states, caches and thermal zones of a Linux device tree
// (.dtb) as a device. What the tree does not state stays zero and is said in `notes`.
// `hardware_bin`: keep only operating points whose opp-supported-hw has that bit; -1: all, of
// several for one frequency the one of highest voltage.
Result<Device> import_device_tree(std::string bytes, const std::string& file,
                                  int64_t hardware_bin = -1);

}  // namespace edgewright
