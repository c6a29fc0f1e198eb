#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace edgewright {

// TOML text as a tree of values. kBadInput with file, line and column. Dates are refused: no file
// of this program holds any.
Result<Json> parse_toml(std::string_view text, std::string_view file);

// The same tree as TOML: plain values, then tables, then arrays of tables. Keys keep their order.
std::string to_toml(const Json& table);

}  // namespace edgewright
