#pragma once

#include <string>
#include <string_view>

namespace edgewright {

// Canonical composition and compatibility forms of Unicode text; bytes that are no UTF-8 stay as
// they are.
enum class UnicodeForm : uint8_t { kNfc, kNfd, kNfkc, kNfkd };
std::string to_unicode_form(std::string_view text, UnicodeForm form);

}  // namespace edgewright
