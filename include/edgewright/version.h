#pragma once

#include <string_view>

namespace edgewright {

// "0.1.0"
std::string_view version();

}  // namespace edgewright
