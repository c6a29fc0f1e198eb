#include "llm/template/texts.h"

#include <algorithm>

namespace edgewright::chat_template {

std::string stripped(std::string_view value, std::string_view which, bool left, bool right) {
  if (left) value.remove_prefix(std::min(value.size(), value.find_first_not_of(which)));
  if (right) value = value.substr(0, value.find_last_not_of(which) + 1);
  return std::string(value);
}

std::string with_case(std::string value, bool upper) {
  for (char& c : value) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return value;
}

std::string capitalised(const std::string& value) {
  return with_case(value.substr(0, 1), true) +
         with_case(value.substr(std::min<size_t>(1, value.size())), false);
}

std::string title(const std::string& value) {
  std::string out;
  bool inside = false;
  for (const char c : value) {
    out += with_case(std::string(1, c), !inside);
    inside =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) > 127;
  }
  return out;
}

std::string replaced(std::string_view value, std::string_view from, std::string_view to,
                     int64_t most) {
  std::string out;
  size_t at = 0;
  while (!from.empty() && most-- != 0) {
    const size_t found = value.find(from, at);
    if (found == std::string_view::npos) break;
    out += value.substr(at, found - at);
    out += to;
    at = found + from.size();
  }
  return out += value.substr(at);
}

std::string quoted_as_python(const std::string& value) {
  const char quote =
      value.find('\'') != std::string::npos && value.find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : value) {
    constexpr std::string_view kControls = "\n\r\t", kNames = "nrt";
    const size_t control = kControls.find(c);
    if (c == quote || c == '\\') out += '\\';
    if (control != std::string_view::npos) out += '\\';
    out += control == std::string_view::npos ? c : kNames[control];
  }
  return out + quote;
}

std::vector<std::string> split(std::string_view value, std::string_view separator, int64_t most) {
  std::vector<std::string> out;
  while (separator.empty()) {
    value.remove_prefix(std::min(value.size(), value.find_first_not_of(kSpaces)));
    if (value.empty()) return out;
    const size_t end = most-- == 0 ? value.size() : value.find_first_of(kSpaces);
    out.emplace_back(value.substr(0, end));
    value.remove_prefix(std::min(value.size(), end));
  }
  while (true) {
    const size_t end = most-- == 0 ? std::string_view::npos : value.find(separator);
    out.emplace_back(value.substr(0, end));
    if (end == std::string_view::npos) return out;
    value.remove_prefix(end + separator.size());
  }
}

std::string indented(std::string_view value, size_t blanks, bool first) {
  const std::string indent(blanks, ' ');
  std::string out = first ? indent : "";
  for (size_t i = 0; i < value.size(); ++i) {
    out += value[i];
    if (value[i] == '\n' && i + 1 < value.size() && value[i + 1] != '\n') out += indent;
  }
  return out;
}

std::vector<std::string_view> characters(std::string_view value) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (size_t i = 1; i <= value.size(); ++i) {
    const bool continues =
        i < value.size() && (static_cast<unsigned char>(value[i]) & 0xc0) == 0x80;
    if (continues) continue;
    out.push_back(value.substr(begin, i - begin));
    begin = i;
  }
  return out;
}

}  // namespace edgewright::chat_template
