#pragma once

#include <string>

#include "edgewright/device.h"

namespace edgewright::cli {

// Clusters, operating points, idle states and thermal zones as tables.
std::string device_text(const Device& device);

}  // namespace edgewright::cli
