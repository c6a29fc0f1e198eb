#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "device/roofs.h"

namespace edgewright {

// The measured roofs of a machine as JSON text, and back. kBadInput naming what is missing.
std::string roofs_to_json(const Roofs& roofs);
Result<Roofs> parse_roofs_json(std::string_view text, std::string_view file);

}  // namespace edgewright
