#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edgewright::chat_template {

inline constexpr std::string_view kSpaces = " \t\n\r\f\v";

// What Python's texts can do and templates ask for. Letters are changed in ASCII only.
std::string stripped(std::string_view value, std::string_view which, bool left, bool right);
std::string with_case(std::string value, bool upper);
std::string capitalised(const std::string& value);
std::string title(const std::string& value);
// `most`: changes or cuts; below 0: all.
std::string replaced(std::string_view value, std::string_view from, std::string_view to,
                     int64_t most);
// At a separator, or where it is empty at any white space, of which none is kept.
std::vector<std::string> split(std::string_view value, std::string_view separator, int64_t most);
// As Python shows a text inside a list.
std::string quoted_as_python(const std::string& value);
// Lines but the first, and that too where asked for, begin with so many blanks; empty ones do not.
std::string indented(std::string_view value, size_t blanks, bool first);
// Parts of a text of UTF-8; bytes that are none stay with the character before them.
std::vector<std::string_view> characters(std::string_view value);

}  // namespace edgewright::chat_template
