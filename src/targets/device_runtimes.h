#pragma once

#include <string>
#include <vector>

#include "device/device.h"

namespace edgewright {

// Runtimes that a device usually has, by the formats that they read (as `convert --to` names them),
// and one sentence that says why.
struct DeviceRuntimes {
  std::vector<std::string> network_formats, language_formats;
  std::string why;
};

// By the maker of its cores and its kind: the first row of a table that fits.
DeviceRuntimes runtimes_of(const Device& device);

}  // namespace edgewright
