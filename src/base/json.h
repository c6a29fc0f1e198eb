#pragma once

#include <nlohmann/json.hpp>

namespace edgewright {

// Keys keep the order in which they are written, so that the same result has the same bytes.
using Json = nlohmann::ordered_json;

}  // namespace edgewright
