#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace edgewright {

// The values that a number may have, both ends included.
struct Bounds {
  double low = 0;
  double high = std::numeric_limits<double>::max();
};
// A list in a file has at most this many items.
constexpr size_t kMaxListItems = 4096;

// Each struct of a device is described once, by `template <class Visitor> void
// describe(Visitor&, Struct&)` that calls visitor.field(key, member, bounds). The visitors below
// read and write files by that description.

// Reads a table into a struct; remembers the first thing that is wrong, with its place.
class FieldReader {
 public:
  FieldReader(const Json& table, std::string place, Status& status)
      : table_(table), place_(std::move(place)), status_(status) {
    if (!table.is_object()) fail(place_, table, "a table");
  }

  template <class T>
  void field(std::string_view key, T& member, Bounds bounds = {}) {
    known_.insert(std::string(key));
    const auto found = table_.is_object() ? table_.find(std::string(key)) : table_.end();
    if (found != table_.end() && status_.ok()) read(*found, child(key), member, bounds);
  }
  template <class T>
  void required(std::string_view key, T& member, Bounds bounds = {}) {
    if (status_.ok() && table_.is_object() && !table_.contains(std::string(key))) {
      status_ = bad_input("{}: the key '{}' is missing", place_, key);
    }
    field(key, member, bounds);
  }
  // To be called last: a key that no field has is a slip of the pen.
  void refuse_unknown_keys() {
    if (!table_.is_object() || !status_.ok()) return;
    for (const auto& [key, value] : table_.items()) {
      if (known_.contains(key)) continue;
      std::string names;
      for (const std::string& name : known_) names += (names.empty() ? "" : ", ") + name;
      status_ = bad_input("{}: found the key '{}', expected one of: {}", place_, key, names);
      return;
    }
  }

 private:
  std::string child(std::string_view key) const {
    return place_ + (place_.ends_with(':') ? " " : ".") + std::string(key);
  }
  void fail(const std::string& place, const Json& found, std::string_view expected) {
    if (!status_.ok()) return;
    std::string text = found.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > 40) text = text.substr(0, 40) + "...";
    status_ = bad_input("{}: found {}, expected {}", place, text, expected);
  }

  void read(const Json& value, const std::string& place, std::string& member, Bounds /*none*/) {
    if (!value.is_string()) return fail(place, value, "text in quotes");
    member = value.get<std::string>();
  }
  void read(const Json& value, const std::string& place, bool& member, Bounds /*none*/) {
    if (!value.is_boolean()) return fail(place, value, "true or false");
    member = value.get<bool>();
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  void read(const Json& value, const std::string& place, T& member, Bounds bounds) {
    const bool fits = std::is_integral_v<T> ? value.is_number_integer() : value.is_number();
    const double number = fits ? value.get<double>() : 0;
    if (!fits || !std::isfinite(number) || number < bounds.low || number > bounds.high) {
      const std::string_view kind = std::is_integral_v<T> ? "a whole number" : "a number";
      return fail(place, value, fmt::format("{} from {:g} to {:g}", kind, bounds.low, bounds.high));
    }
    member = value.get<T>();
  }
  template <class T>
  void read(const Json& value, const std::string& place, std::vector<T>& member, Bounds bounds) {
    if (!value.is_array()) return fail(place, value, "a list");
    if (value.size() > kMaxListItems) {
      status_ =
          bad_input("{}: found {} items, expected at most {}", place, value.size(), kMaxListItems);
      return;
    }
    member.clear();
    for (size_t i = 0; i < value.size() && status_.ok(); ++i) {
      read(value[i], fmt::format("{}[{}]", place, i), member.emplace_back(), bounds);
    }
  }
  template <class T>
    requires std::is_class_v<T>
  void read(const Json& value, const std::string& place, T& member, Bounds /*none*/) {
    FieldReader reader(value, place, status_);
    describe(reader, member);
    reader.refuse_unknown_keys();
  }

  const Json& table_;
  std::string place_;
  Status& status_;
  std::set<std::string> known_;
};

// Writes a struct as a table; leaves out what has its default.
class FieldWriter {
 public:
  template <class T>
  void field(std::string_view key, const T& member, Bounds /*unused*/ = {}) {
    if (!(is_default(member))) table[std::string(key)] = value(member);
  }
  template <class T>
  void required(std::string_view key, const T& member, Bounds /*unused*/ = {}) {
    table[std::string(key)] = value(member);
  }

  Json table = Json::object();

 private:
  template <class T>
  static bool is_default(const T& member) {
    if constexpr (std::is_arithmetic_v<T>) {
      return member == T{};
    } else if constexpr (std::is_same_v<T, std::string>) {
      return member.empty();
    } else {
      return value(member).empty();
    }
  }
  template <class T>
  static Json value(const T& member) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return member;
    } else {
      FieldWriter writer;
      describe(writer, const_cast<T&>(member));  // a writer changes nothing
      return std::move(writer.table);
    }
  }
  template <class T>
  static Json value(const std::vector<T>& members) {
    Json list = Json::array();
    for (const T& member : members) list.push_back(value(member));
    return list;
  }
};

// Reads a whole file's struct. `file` names it in messages.
template <class T>
Result<T> read_fields(const Json& table, std::string_view file) {
  T out;
  Status status;
  FieldReader reader(table, fmt::format("{}:", file), status);
  describe(reader, out);
  reader.refuse_unknown_keys();
  EDGEWRIGHT_TRY(std::move(status));
  return out;
}

template <class T>
Json write_fields(const T& value) {
  FieldWriter writer;
  describe(writer, const_cast<T&>(value));  // a writer changes nothing
  return std::move(writer.table);
}

}  // namespace edgewright
