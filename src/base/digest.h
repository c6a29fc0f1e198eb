#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace edgewright {

// SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);
std::string sha256(std::string_view text);
// Of a file's contents; the file is mapped, not loaded.
Result<std::string> sha256_of_file(const std::string& path);

}  // namespace edgewright
