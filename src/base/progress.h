#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace edgewright {

// Long work reports through this; the library itself prints nothing. May be empty.
using Progress = std::function<void(std::string_view stage, size_t done, size_t total)>;

}  // namespace edgewright
