#pragma once

#include <string>

#include "base/json.h"

namespace edgewright {

// The bundle's report.html: one self-contained page from its manifest and measurements.
std::string deployment_page(const Json& manifest, const Json& measurements);

}  // namespace edgewright
