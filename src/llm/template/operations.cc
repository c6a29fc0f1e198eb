#include "llm/template/operations.h"

#include <algorithm>
#include <cmath>

#include "llm/template/texts.h"

namespace edgewright::chat_template {
namespace {

// Beyond the end of anything, and far from where sums overflow.
constexpr int64_t kFarthest = int64_t{1} << 40;

std::string_view type_of(const Json& value) {
  if (value.is_discarded()) return "undefined";
  if (value.is_null()) return "none";
  if (value.is_boolean()) return "a truth value";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a text";
  return value.is_array() ? "a list" : "an object";
}

const std::string& text(const Json& value) { return value.get_ref<const std::string&>(); }

std::string number_text(const Json& value) {
  if (!value.is_number_float()) return value.dump();
  const double number = value.get<double>();
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  return value.dump();
}

// As Python's json.dumps with its own separators, or with line breaks where an indent is given.
std::string json_text(const Json& value) {
  std::string out;
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      out += (out.empty() ? "{" : ", ") + json_text(key) + ": " + json_text(item);
    }
    return out.empty() ? "{}" : out + "}";
  }
  if (value.is_array()) {
    for (const Json& item : value) out += (out.empty() ? "[" : ", ") + json_text(item);
    return out.empty() ? "[]" : out + "]";
  }
  if (value.is_discarded()) return "null";
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A limit of changes or cuts; below 0: none.
int64_t limit_of(const Json* given) {
  if (given == nullptr || !given->is_number_integer()) return -1;
  return std::clamp<int64_t>(given->get<int64_t>(), -1, kFarthest);
}

std::string_view spaces_or(const Json* characters) {
  return characters != nullptr && characters->is_string() ? std::string_view(text(*characters))
                                                          : kSpaces;
}

// ---- comparison ----

Result<bool> is_less(const Json& left, const Json& right) {
  if (left.is_number() && right.is_number()) return left < right;
  if (left.is_string() && right.is_string()) return left < right;
  return bad_input("{} and {} have no order", type_of(left), type_of(right));
}

Result<bool> contains(const Json& whole, const Json& part) {
  if (whole.is_string() && part.is_string())
    return text(whole).find(text(part)) != std::string::npos;
  if (whole.is_array()) return std::ranges::find(whole, part) != whole.end();
  if (whole.is_object()) return part.is_string() && whole.contains(text(part));
  return bad_input("{} holds nothing, expected a text, list or object after 'in'", type_of(whole));
}

bool are_equal(const Json& left, const Json& right) {
  return (left.is_discarded() && right.is_discarded()) || left == right;
}

// ---- numbers ----

Result<Json> integers(std::string_view name, int64_t a, int64_t b) {
  int64_t out = 0;
  bool over = false;
  if (name == "+") over = __builtin_add_overflow(a, b, &out);
  if (name == "-") over = __builtin_sub_overflow(a, b, &out);
  if (name == "*") over = __builtin_mul_overflow(a, b, &out);
  if (name == "//" || name == "%") {
    if (b == 0) return bad_input("division by zero");
    if (b == -1) {
      over = name == "//" && __builtin_sub_overflow(int64_t{0}, a, &out);
    } else {
      // Python rounds down.
      const int64_t rest = a % b;
      const bool down = rest != 0 && (rest < 0) != (b < 0);
      out = name == "//" ? a / b - (down ? 1 : 0) : rest + (down ? b : 0);
    }
  }
  if (over) return bad_input("a number is too large");
  return Json(out);
}

Result<Json> arithmetic(std::string_view name, const Json& left, const Json& right) {
  if (left.is_number_integer() && right.is_number_integer() && name != "/") {
    return integers(name, left.get<int64_t>(), right.get<int64_t>());
  }
  const auto a = left.get<double>(), b = right.get<double>();
  if (name == "+") return Json(a + b);
  if (name == "-") return Json(a - b);
  if (name == "*") return Json(a * b);
  if (b == 0) return bad_input("division by zero");
  if (name == "/") return Json(a / b);
  const double whole = std::floor(a / b);
  return Json(name == "//" ? whole : a - whole * b);
}

// ---- filters ----

using Filter = Result<Json> (*)(const Json& value, const Arguments& arguments);

template <std::string (*change)(const std::string&)>
Result<Json> of_text(const Json& value, const Arguments&) {
  return Json(change(text_of(value)));
}

Result<Json> length(const Json& value, const Arguments&) {
  if (value.is_string()) return Json(characters(text(value)).size());
  if (value.is_array() || value.is_object()) return Json(value.size());
  if (value.is_discarded()) return Json(0);
  return bad_input("{} has no length", type_of(value));
}

Result<Json> or_default(const Json& value, const Arguments& arguments) {
  const Json* otherwise = arguments.find(0, "default_value");
  const Json* also_false = arguments.find(1, "boolean");
  const bool replace =
      value.is_discarded() || (also_false != nullptr && is_true(*also_false) && !is_true(value));
  if (!replace) return value;
  return otherwise == nullptr ? Json("") : *otherwise;
}

Result<Json> joined(const Json& value, const Arguments& arguments) {
  EDGEWRIGHT_ASSIGN(const std::vector<Json> items, items_of(value));
  const Json* between = arguments.find(0, "d");
  const Json* attribute = arguments.find(1, "attribute");
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && between != nullptr) out += text_of(*between);
    out += text_of(attribute == nullptr ? items[i] : item_of(items[i], *attribute));
  }
  return Json(std::move(out));
}

Result<Json> first(const Json& value, const Arguments&) {
  EDGEWRIGHT_ASSIGN(const std::vector<Json> items, items_of(value));
  return items.empty() ? undefined() : items.front();
}
Result<Json> last(const Json& value, const Arguments&) {
  EDGEWRIGHT_ASSIGN(const std::vector<Json> items, items_of(value));
  return items.empty() ? undefined() : items.back();
}
Result<Json> as_list(const Json& value, const Arguments&) {
  EDGEWRIGHT_ASSIGN(const std::vector<Json> items, items_of(value));
  return Json(items);
}
Result<Json> reversed(const Json& value, const Arguments&) {
  EDGEWRIGHT_ASSIGN(std::vector<Json> items, items_of(value));
  std::ranges::reverse(items);
  if (!value.is_string()) return Json(items);
  std::string out;
  for (const Json& item : items) out += text(item);
  return Json(std::move(out));
}

Result<Json> trimmed(const Json& value, const Arguments& arguments) {
  return Json(stripped(text_of(value), spaces_or(arguments.find(0, "chars")), true, true));
}
Result<Json> replaced_text(const Json& value, const Arguments& arguments) {
  const Json* from = arguments.find(0, "old");
  const Json* to = arguments.find(1, "new");
  const Json* count = arguments.find(2, "count");
  if (from == nullptr || to == nullptr) return bad_input("replace wants two texts");
  return Json(replaced(text_of(value), text_of(*from), text_of(*to), limit_of(count)));
}
Result<Json> indented_text(const Json& value, const Arguments& arguments) {
  const Json* width = arguments.find(0, "width");
  const Json* first = arguments.find(1, "first");
  const int64_t blanks = width == nullptr ? 4 : std::clamp<int64_t>(limit_of(width), 0, 64);
  return Json(
      indented(text_of(value), static_cast<size_t>(blanks), first != nullptr && is_true(*first)));
}

Result<Json> to_json(const Json& value, const Arguments& arguments) {
  const Json* indent = arguments.find(0, "indent");
  if (indent == nullptr || !indent->is_number_integer()) return Json(json_text(value));
  const auto blanks = static_cast<int>(std::clamp<int64_t>(indent->get<int64_t>(), 0, 16));
  return Json(value.dump(blanks, ' ', false, Json::error_handler_t::replace));
}

Result<Json> to_integer(const Json& value, const Arguments&) {
  if (value.is_number_integer()) return value;
  if (value.is_boolean()) return Json(value.get<bool>() ? 1 : 0);
  if (value.is_number() && std::abs(value.get<double>()) < 9e18) {
    return Json(static_cast<int64_t>(value.get<double>()));
  }
  if (!value.is_string()) return Json(0);
  return Json(static_cast<int64_t>(std::strtoll(text(value).c_str(), nullptr, 10)));
}
Result<Json> to_float(const Json& value, const Arguments&) {
  if (value.is_number()) return Json(value.get<double>());
  return Json(value.is_string() ? std::strtod(text(value).c_str(), nullptr) : 0.0);
}
Result<Json> absolute(const Json& value, const Arguments&) {
  if (!value.is_number()) return bad_input("{} has no absolute value", type_of(value));
  if (value.is_number_float()) return Json(std::abs(value.get<double>()));
  const Json zero = 0;
  return value < zero ? integers("-", 0, value.get<int64_t>()) : Result<Json>(value);
}

Result<Json> pairs(const Json& value, const Arguments&) {
  Json out = Json::array();
  if (!value.is_object()) {
    if (value.is_discarded()) return out;
    return bad_input("{} has no keys and values", type_of(value));
  }
  for (const auto& [key, item] : value.items()) out.push_back(Json::array({key, item}));
  return out;
}

Status sort_by(std::vector<Json>& items, const Arguments& arguments) {
  const Json* attribute = arguments.find(2, "attribute");
  const Json* down = arguments.find(0, "reverse");
  const auto key = [&](const Json& item) {
    const Json value = attribute == nullptr ? item : item_of(item, *attribute);
    return value.is_string() ? Json(with_case(text(value), false)) : value;
  };
  for (size_t i = 1; i < items.size(); ++i) {
    EDGEWRIGHT_TRY(is_less(key(items[i - 1]), key(items[i])));
  }
  std::ranges::stable_sort(items, {}, key);
  if (down != nullptr && is_true(*down)) std::ranges::reverse(items);
  return {};
}
Result<Json> sorted(const Json& value, const Arguments& arguments) {
  EDGEWRIGHT_ASSIGN(std::vector<Json> items, items_of(value));
  EDGEWRIGHT_TRY(sort_by(items, arguments));
  return Json(items);
}
Result<Json> sorted_pairs(const Json& value, const Arguments&) {
  EDGEWRIGHT_ASSIGN(const Json list, pairs(value, {}));
  EDGEWRIGHT_ASSIGN(std::vector<Json> items, items_of(list));
  std::ranges::stable_sort(items, {},
                           [](const Json& pair) { return with_case(text(pair[0]), false); });
  return Json(items);
}
Result<Json> unique(const Json& value, const Arguments&) {
  EDGEWRIGHT_ASSIGN(const std::vector<Json> items, items_of(value));
  Json out = Json::array();
  for (const Json& item : items) {
    if (std::ranges::find(out, item) == out.end()) out.push_back(item);
  }
  return out;
}

// map(attribute='content'), map('trim').
Result<Json> mapped(const Json& value, const Arguments& arguments) {
  EDGEWRIGHT_ASSIGN(const std::vector<Json> items, items_of(value));
  const Json* attribute = arguments.find(SIZE_MAX, "attribute");
  const Json* otherwise = arguments.find(SIZE_MAX, "default");
  const Json* filter = arguments.find(0, "");
  Json out = Json::array();
  for (const Json& item : items) {
    if (attribute != nullptr) {
      Json found = item_of(item, *attribute);
      out.push_back(found.is_discarded() ? otherwise != nullptr ? *otherwise : Json() : found);
      continue;
    }
    if (filter == nullptr || !filter->is_string())
      return bad_input("map wants an attribute or a filter");
    const Arguments rest{{arguments.positional.begin() + 1, arguments.positional.end()}, {}};
    EDGEWRIGHT_ASSIGN(Json made, apply_filter(text(*filter), item, rest));
    out.push_back(std::move(made));
  }
  return out;
}

// select('string'), selectattr('role', 'equalto', 'user'), and reject of both.
template <bool by_attribute, bool wanted>
Result<Json> selected(const Json& value, const Arguments& arguments) {
  EDGEWRIGHT_ASSIGN(const std::vector<Json> items, items_of(value));
  const Json* attribute = by_attribute ? arguments.find(0, "") : nullptr;
  if (by_attribute && attribute == nullptr) return bad_input("expected the name of an attribute");
  constexpr size_t kTest = by_attribute ? 1 : 0;
  const Json* test = arguments.find(kTest, "");
  Arguments rest;
  for (size_t i = kTest + 1; i < arguments.positional.size(); ++i) {
    rest.positional.push_back(arguments.positional[i]);
  }
  Json out = Json::array();
  for (const Json& item : items) {
    const Json subject = attribute == nullptr ? item : item_of(item, *attribute);
    bool holds = is_true(subject);
    if (test != nullptr && test->is_string()) {
      EDGEWRIGHT_ASSIGN(const Json answer, apply_test(text(*test), subject, rest));
      holds = is_true(answer);
    }
    if (holds == wanted) out.push_back(item);
  }
  return out;
}

Result<Json> unchanged(const Json& value, const Arguments&) { return value; }
std::string upper(const std::string& value) { return with_case(value, true); }
std::string lower(const std::string& value) { return with_case(value, false); }
std::string same(const std::string& value) { return value; }

struct NamedFilter {
  std::string_view name;
  Filter apply;
};
constexpr NamedFilter kFilters[] = {
    {"abs", absolute},
    {"capitalize", of_text<capitalised>},
    {"count", length},
    {"d", or_default},
    {"default", or_default},
    {"dictsort", sorted_pairs},
    {"first", first},
    {"float", to_float},
    {"indent", indented_text},
    {"int", to_integer},
    {"items", pairs},
    {"join", joined},
    {"last", last},
    {"length", length},
    {"list", as_list},
    {"lower", of_text<lower>},
    {"map", mapped},
    {"reject", selected<false, false>},
    {"rejectattr", selected<true, false>},
    {"replace", replaced_text},
    {"reverse", reversed},
    {"safe", unchanged},
    {"select", selected<false, true>},
    {"selectattr", selected<true, true>},
    {"sort", sorted},
    {"string", of_text<same>},
    {"title", of_text<title>},
    {"tojson", to_json},
    {"trim", trimmed},
    {"unique", unique},
    {"upper", of_text<upper>},
};

// Tests that compare, by their names and as operators.
constexpr std::string_view kComparisons[][3] = {
    {"eq", "equalto", "=="},    {"ne", "ne", "!="}, {"lt", "lessthan", "<"}, {"le", "le", "<="},
    {"gt", "greaterthan", ">"}, {"ge", "ge", ">="}, {"in", "in", "in"}};

// ---- methods ----

Result<Json> text_method(std::string_view name, const std::string& value,
                         const Arguments& arguments) {
  const Json* argument = arguments.find(0, "");
  const Json* second = arguments.find(1, "");
  const Json* count =
      arguments.find(name == "replace" ? 2 : 1, name == "replace" ? "count" : "maxsplit");
  const int64_t most = limit_of(count);
  if (name == "strip") return Json(stripped(value, spaces_or(argument), true, true));
  if (name == "lstrip") return Json(stripped(value, spaces_or(argument), true, false));
  if (name == "rstrip") return Json(stripped(value, spaces_or(argument), false, true));
  if (name == "upper" || name == "lower") return Json(with_case(value, name == "upper"));
  if (name == "title") return Json(title(value));
  if (name == "capitalize") return Json(capitalised(value));
  if (name == "split") {
    const bool separated = argument != nullptr && argument->is_string();
    return Json(split(value, separated ? text(*argument) : "", most));
  }
  const bool has_text = argument != nullptr && argument->is_string();
  if (name == "replace" && has_text && second != nullptr && second->is_string()) {
    return Json(replaced(value, text(*argument), text(*second), most));
  }
  if (!has_text && (name == "startswith" || name == "endswith" || name == "replace" ||
                    name == "find" || name == "count")) {
    return bad_input("'{}' wants a text", name);
  }
  if (name == "startswith") return Json(value.starts_with(text(*argument)));
  if (name == "endswith") return Json(value.ends_with(text(*argument)));
  if (name == "find") {
    const size_t found = value.find(text(*argument));
    return Json(found == std::string::npos ? int64_t{-1} : static_cast<int64_t>(found));
  }
  if (name == "count") {
    int64_t times = 0;
    const std::string& part = text(*argument);
    for (size_t at = 0; !part.empty() && (at = value.find(part, at)) != std::string::npos;
         at += part.size()) {
      ++times;
    }
    return Json(times);
  }
  return unsupported("the method '{}' of a text is not supported", name);
}

Result<Json> object_method(std::string_view name, const Json& value, const Arguments& arguments) {
  if (name == "items") return pairs(value, {});
  Json out = Json::array();
  if (name == "keys" || name == "values") {
    for (const auto& [key, item] : value.items()) out.push_back(name == "keys" ? Json(key) : item);
    return out;
  }
  if (name == "get") {
    const Json* key = arguments.find(0, "");
    const Json* otherwise = arguments.find(1, "");
    if (key == nullptr) return bad_input("'get' wants a key");
    Json found = item_of(value, *key);
    if (!found.is_discarded()) return found;
    return otherwise == nullptr ? Json() : *otherwise;
  }
  return unsupported("the method '{}' of an object is not supported", name);
}

}  // namespace

const Json* Arguments::find(size_t place, std::string_view name) const {
  if (place < positional.size()) return &positional[place];
  for (const auto& [key, value] : named) {
    if (!name.empty() && key == name) return &value;
  }
  return nullptr;
}

bool is_true(const Json& value) {
  if (value.is_discarded() || value.is_null()) return false;
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value.get<double>() != 0;
  return value.is_string() ? !text(value).empty() : !value.empty();
}

std::string text_of(const Json& value) {
  if (value.is_discarded()) return "";
  if (value.is_string()) return text(value);
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_number()) return number_text(value);
  const auto inner = [](const Json& item) {
    return item.is_string() ? quoted_as_python(text(item)) : text_of(item);
  };
  std::string out;
  if (value.is_array()) {
    for (const Json& item : value) out += (out.empty() ? "[" : ", ") + inner(item);
    return out.empty() ? "[]" : out + "]";
  }
  for (const auto& [key, item] : value.items()) {
    out += (out.empty() ? "{" : ", ") + quoted_as_python(key) + ": " + inner(item);
  }
  return out.empty() ? "{}" : out + "}";
}

Result<Json> apply_operator(std::string_view name, const Json& left, const Json& right) {
  if (name == "~") return Json(text_of(left) + text_of(right));
  if (name == "==") return Json(are_equal(left, right));
  if (name == "!=") return Json(!are_equal(left, right));
  if (name == "in" || name == "not in") {
    EDGEWRIGHT_ASSIGN(const bool found, contains(right, left));
    return Json(found == (name == "in"));
  }
  if (name == "<" || name == ">=") {
    EDGEWRIGHT_ASSIGN(const bool less, is_less(left, right));
    return Json(less == (name == "<"));
  }
  if (name == ">" || name == "<=") {
    EDGEWRIGHT_ASSIGN(const bool less, is_less(right, left));
    return Json(less == (name == ">"));
  }
  if (left.is_number() && right.is_number()) return arithmetic(name, left, right);
  if (name == "+" && left.is_string() && right.is_string()) return Json(text(left) + text(right));
  if (name == "+" && left.is_array() && right.is_array()) {
    Json all = left;
    for (const Json& item : right) all.push_back(item);
    return all;
  }
  return bad_input("'{}' between {} and {}", name, type_of(left), type_of(right));
}

Result<Json> apply_filter(std::string_view name, const Json& value, const Arguments& arguments) {
  const auto found = std::ranges::find(kFilters, name, &NamedFilter::name);
  if (found == std::end(kFilters)) return unsupported("the filter '{}' is not supported", name);
  return found->apply(value, arguments);
}

Result<Json> apply_test(std::string_view name, const Json& value, const Arguments& arguments) {
  const Json* other = arguments.find(0, "");
  if (name == "defined") return Json(!value.is_discarded());
  if (name == "undefined") return Json(value.is_discarded());
  if (name == "none") return Json(value.is_null());
  if (name == "string") return Json(value.is_string());
  if (name == "mapping") return Json(value.is_object());
  if (name == "number") return Json(value.is_number());
  if (name == "integer") return Json(value.is_number_integer());
  if (name == "float") return Json(value.is_number_float());
  if (name == "boolean") return Json(value.is_boolean());
  if (name == "true" || name == "false") {
    return Json(value.is_boolean() && value.get<bool>() == (name == "true"));
  }
  if (name == "sequence" || name == "iterable") {
    return Json(value.is_string() || value.is_array() || value.is_object());
  }
  const bool odd = name == "odd";
  if (odd || name == "even") {
    if (!value.is_number_integer()) return bad_input("'{}' of {}", name, type_of(value));
    return Json((value.get<int64_t>() % 2 != 0) == odd);
  }
  if (other == nullptr) return unsupported("the test '{}' is not supported", name);
  for (const auto& [word, longer, sign] : kComparisons) {
    if (name == word || name == longer || name == sign) return apply_operator(sign, value, *other);
  }
  return unsupported("the test '{}' is not supported", name);
}

Result<Json> apply_method(std::string_view name, const Json& value, const Arguments& arguments) {
  if (value.is_string()) return text_method(name, text(value), arguments);
  if (value.is_object()) return object_method(name, value, arguments);
  return bad_input("{} has no method '{}'", type_of(value), name);
}

Json item_of(const Json& value, const Json& place) {
  if (value.is_object() && place.is_string()) {
    const auto found = value.find(text(place));
    return found == value.end() ? undefined() : *found;
  }
  if (!place.is_number_integer()) return undefined();
  const auto letters =
      value.is_string() ? characters(text(value)) : std::vector<std::string_view>();
  const auto size = static_cast<int64_t>(value.is_array() ? value.size() : letters.size());
  auto at = place.get<int64_t>();
  if (at < 0) at += size;
  if (at < 0 || at >= size) return undefined();
  if (value.is_array()) return value[static_cast<size_t>(at)];
  return Json(letters[static_cast<size_t>(at)]);
}

Result<Json> slice_of(const Json& value, const Json& begin, const Json& end, const Json& step) {
  if (!value.is_string() && !value.is_array()) {
    return bad_input("{} has no parts, expected a text or list", type_of(value));
  }
  EDGEWRIGHT_ASSIGN(const std::vector<Json> items, items_of(value));
  const auto size = static_cast<int64_t>(items.size());
  const auto number = [](const Json& given, int64_t otherwise) {
    return given.is_number_integer()
               ? std::clamp<int64_t>(given.get<int64_t>(), -kFarthest, kFarthest)
               : otherwise;
  };
  const int64_t stride = number(step, 1);
  if (stride == 0) return bad_input("a step of 0");
  const bool up = stride > 0;
  const auto place = [&](const Json& given, int64_t otherwise) {
    if (!given.is_number_integer()) return otherwise;
    int64_t at = number(given, 0);
    if (at < 0) at += size;
    return std::clamp<int64_t>(at, up ? 0 : -1, up ? size : size - 1);
  };
  const int64_t stop = place(end, up ? size : -1);
  std::vector<Json> taken;
  for (int64_t at = place(begin, up ? 0 : size - 1); up ? at < stop : at > stop; at += stride) {
    taken.push_back(items[static_cast<size_t>(at)]);
    if (std::abs(stride) > size) break;
  }
  if (value.is_array()) return Json(taken);
  std::string out;
  for (const Json& letter : taken) out += text(letter);
  return Json(std::move(out));
}

Result<std::vector<Json>> items_of(const Json& value) {
  if (value.is_discarded()) return std::vector<Json>();
  if (value.is_array()) return std::vector<Json>(value.begin(), value.end());
  if (value.is_string()) {
    const auto letters = characters(text(value));
    return std::vector<Json>(letters.begin(), letters.end());
  }
  if (!value.is_object()) {
    return bad_input("{} has no items, expected a list, object or text", type_of(value));
  }
  std::vector<Json> keys;
  for (const auto& [key, item] : value.items()) keys.emplace_back(key);
  return keys;
}

}  // namespace edgewright::chat_template
