#include "llm/config_fields.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/quote.h"

namespace edgewright {
namespace {

constexpr int64_t kMaxCount = int64_t{1} << 26;

bool is_integer_in(const Json& value, int64_t low, int64_t high) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    return number <= static_cast<uint64_t>(high) && static_cast<int64_t>(number) >= low;
  }
  return value.is_number_integer() && value.get<int64_t>() >= low && value.get<int64_t>() <= high;
}

}  // namespace

const Json* Fields::find(std::string_view name) const {
  if (!json_.is_object()) return nullptr;
  const auto found = json_.find(std::string(name));
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

bool Fields::has(std::string_view name) const { return find(name) != nullptr; }

const Json& Fields::at(std::string_view name) const {
  static const Json kNothing;
  const Json* found = find(name);
  return found == nullptr ? kNothing : *found;
}

void Fields::fail(Error error) {
  if (status_.ok()) status_ = std::move(error);
}

void Fields::wrong(std::string_view name, std::string_view expected) {
  std::string found = at(name).dump(-1, ' ', true, Json::error_handler_t::replace);
  if (found.size() > 60) found = found.substr(0, 60) + "...";
  fail(bad_input("found \"{}\": {}, expected {}", name, found, expected));
}

int Fields::count(std::string_view name, std::optional<int> otherwise) {
  const Json* value = find(name);
  if (value == nullptr) {
    if (!otherwise) fail(bad_input("\"{}\" is missing", name));
    return otherwise.value_or(1);
  }
  if (is_integer_in(*value, 1, kMaxCount)) return value->get<int>();
  wrong(name, "a whole number between 1 and 2^26");
  return otherwise.value_or(1);
}

int Fields::integer(std::string_view name, int otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (is_integer_in(*value, INT32_MIN, INT32_MAX)) return value->get<int>();
  wrong(name, "a whole number");
  return otherwise;
}

float Fields::number(std::string_view name, float otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (value->is_number() && std::isfinite(value->get<float>())) return value->get<float>();
  wrong(name, "a finite number");
  return otherwise;
}

bool Fields::flag(std::string_view name, bool otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  wrong(name, "true or false");
  return otherwise;
}

std::string Fields::text(std::string_view name, const std::string& otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (value->is_string()) return value->get<std::string>();
  wrong(name, "text");
  return otherwise;
}

std::vector<float> Fields::numbers(std::string_view name, size_t limit) {
  const Json* value = find(name);
  if (value == nullptr) return {};
  std::vector<float> result;
  if (value->is_array() && value->size() <= limit) {
    for (const Json& item : *value) {
      if (item.is_number() && std::isfinite(item.get<float>())) result.push_back(item.get<float>());
    }
    if (result.size() == value->size()) return result;
  }
  wrong(name, fmt::format("a list of at most {} finite numbers", limit));
  return {};
}

std::vector<int> Fields::integers(std::string_view name, size_t limit) {
  const Json* value = find(name);
  if (value == nullptr) return {};
  if (is_integer_in(*value, INT32_MIN, INT32_MAX)) return {value->get<int>()};
  std::vector<int> result;
  if (value->is_array() && value->size() <= limit) {
    for (const Json& item : *value) {
      if (is_integer_in(item, INT32_MIN, INT32_MAX)) result.push_back(item.get<int>());
    }
    if (result.size() == value->size()) return result;
  }
  wrong(name, fmt::format("a whole number or a list of at most {}", limit));
  return {};
}

bool is_plain_name(std::string_view name, std::string_view marks) {
  return std::ranges::all_of(name, [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           marks.find(c) != std::string_view::npos;
  });
}

Error unread_name(std::string_view what, std::string_view name,
                  std::initializer_list<std::string_view> others) {
  if (std::ranges::find(others, name) != others.end()) {
    return unsupported("{} {} is not supported", what, edgewright::quoted(name));
  }
  return bad_input("{} {} is not known to the format", what, edgewright::quoted(name));
}

}  // namespace edgewright
