#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "edgewright/device.h"  // IWYU pragma: export

namespace edgewright {

// Device files are this long at most; real ones are a tenth of it.
constexpr size_t kMaxDeviceFileBytes = size_t{1} << 20;

// Reads the text of a device file (docs/formats/device.md). `file` names it in messages.
// kBadInput with line and column, or the key's path, and what was expected.
Result<Device> parse_device(std::string_view text, std::string_view file);
std::string device_to_toml(const Device& device);

// A device of the catalogue by name, or of a file where the text has a '/' or ends in ".toml".
// kUsage naming the known devices when there is none of that name.
Result<Device> load_device(const std::string& name_or_path);

// The checks of parse_device on a device made otherwise: order of operating points, CPUs in one
// cluster each, thermal links between known nodes.
Status check_device(const Device& device);

// Number of CPUs in all clusters.
int64_t cpu_count(const Device& device);

}  // namespace edgewright
