#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace edgewright::chat_template {

// What is not there: of no type, written as nothing, false.
inline Json undefined() { return Json(Json::value_t::discarded); }

struct Arguments {
  std::vector<Json> positional;
  std::vector<std::pair<std::string, Json>> named;

  // The argument of a place or a name; nullptr where it is not given.
  const Json* find(size_t place, std::string_view name) const;
};

bool is_true(const Json& value);
// As Python writes values: "None", "True", "1.0", "['a', {'b': 1}]"; texts as they are.
std::string text_of(const Json& value);

// Values, operators, filters ("x | trim"), tests ("x is string") and methods ("x.strip()") as Jinja
// and Python have them. Unknown names are unsupported, operands that do not fit bad input.
Result<Json> apply_operator(std::string_view name, const Json& left, const Json& right);
Result<Json> apply_filter(std::string_view name, const Json& value, const Arguments& arguments);
Result<Json> apply_test(std::string_view name, const Json& value, const Arguments& arguments);
Result<Json> apply_method(std::string_view name, const Json& value, const Arguments& arguments);

// value[place] and value.place: undefined where there is none.
Json item_of(const Json& value, const Json& place);
// value[begin:end:step]; undefined: from or to the end.
Result<Json> slice_of(const Json& value, const Json& begin, const Json& end, const Json& step);
// What a loop goes through: the items of a list, the keys of an object, the characters of a text.
Result<std::vector<Json>> items_of(const Json& value);

}  // namespace edgewright::chat_template
