#pragma once

#include <string>
#include <string_view>

namespace edgewright {

// A string in double quotes with \" \\ \n \t and \xNN escapes; any byte sequence survives.
std::string quoted(std::string_view text);
// Lower-case hexadecimal digits of bytes.
std::string hex(std::string_view bytes);

}  // namespace edgewright
