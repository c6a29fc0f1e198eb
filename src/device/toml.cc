#include "device/toml.h"

// One source sees the parser, without exceptions: errors are values here.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <cmath>

namespace edgewright {
namespace {

Json convert(const toml::node& node);

Json convert(const toml::table& table) {
  Json out = Json::object();
  for (const auto& [key, value] : table) out[std::string(key.str())] = convert(value);
  return out;
}

Json convert(const toml::array& array) {
  Json out = Json::array();
  for (const toml::node& value : array) out.push_back(convert(value));
  return out;
}

Json convert(const toml::node& node) {
  if (const auto* table = node.as_table()) return convert(*table);
  if (const auto* array = node.as_array()) return convert(*array);
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  return nullptr;  // a date or time; whoever wants a value of this key refuses it
}

bool is_bare(std::string_view key) {
  return !key.empty() && key.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789_-") == std::string_view::npos;
}

std::string basic_string(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (code < 0x20 || code == 0x7f) {
      out += fmt::format("\\u{:04x}", code);
    } else {
      out += letter;
    }
  }
  return out + '"';
}

std::string value_text(const Json& value) {
  if (value.is_string()) return basic_string(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_float()) {
    const std::string text = fmt::format("{}", value.get<double>());
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  }
  if (value.is_array()) {
    std::string out = "[";
    for (const Json& item : value) out += (out.size() == 1 ? "" : ", ") + value_text(item);
    return out + "]";
  }
  if (value.is_object()) {
    std::string out = "{ ";
    for (const auto& [key, item] : value.items()) {
      out += (out.size() == 2 ? "" : ", ") + (is_bare(key) ? key : basic_string(key)) + " = " +
             value_text(item);
    }
    return out + " }";
  }
  return value.dump();
}

// Tables without tables or lists inside go on one line: a table of operating points stays a table.
bool is_flat(const Json& table) {
  return table.is_object() &&
         std::ranges::none_of(table, [](const Json& value) { return value.is_structured(); });
}

bool is_table_list(const Json& value) {
  return value.is_array() && !value.empty() && value[0].is_object();
}

std::string flat_list(const Json& list) {
  std::string out = "[\n";
  for (const Json& item : list) out += "  " + value_text(item) + ",\n";
  return out + "]";
}

void write_table(const Json& table, const std::string& path, std::string& out) {
  for (const auto& [key, value] : table.items()) {
    if (value.is_null() || value.is_object()) continue;
    const std::string name = is_bare(key) ? key : basic_string(key);
    if (!is_table_list(value)) {
      out += name + " = " + value_text(value) + "\n";
    } else if (std::ranges::all_of(value, is_flat)) {
      out += name + " = " + flat_list(value) + "\n";
    }
  }
  for (const auto& [key, value] : table.items()) {
    const std::string name =
        path + (path.empty() ? "" : ".") + (is_bare(key) ? key : basic_string(key));
    if (value.is_object()) {
      out += "\n[" + name + "]\n";
      write_table(value, name, out);
    } else if (is_table_list(value) && !std::ranges::all_of(value, is_flat)) {
      for (const Json& item : value) {
        out += "\n[[" + name + "]]\n";
        write_table(item, name, out);
      }
    }
  }
}

}  // namespace

Result<Json> parse_toml(std::string_view text, std::string_view file) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const auto& at = parsed.error().source().begin;
    return bad_input("{}:{}:{}: {}; expected TOML", file, at.line, at.column,
                     parsed.error().description());
  }
  return convert(parsed.table());
}

std::string to_toml(const Json& table) {
  std::string out;
  write_table(table, "", out);
  return out;
}

}  // namespace edgewright
