#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "arrays.h"
#include "edgewright/language.h"
#include "errors.h"

namespace edgewright::python {

// How a C++ type is written as a Python annotation, how a value of it is written, and how it comes
// from a Python object. `place` names the argument in errors.
template <class T>
struct Convert;

[[noreturn]] void raise_type(const std::string& place, const std::string& expected,
                             nanobind::handle found);
// A str, or what os.fspath makes one of.
std::string to_text(nanobind::handle value, const std::string& place);
std::string quoted(const std::string& text);

template <class T>
  requires std::is_arithmetic_v<T>
struct Convert<T> {
  static std::string annotation() {
    if constexpr (std::is_same_v<T, bool>) return "bool";
    return std::is_integral_v<T> ? "int" : "float";
  }
  static std::string literal(T value) {
    if constexpr (std::is_same_v<T, bool>) return value ? "True" : "False";
    return fmt::format("{}", value);
  }
  static T from(nanobind::handle value, const std::string& place) {
    T result{};
    if (!nanobind::try_cast<T>(value, result)) raise_type(place, annotation(), value);
    return result;
  }
};

template <>
struct Convert<std::string> {
  static std::string annotation() { return "str | os.PathLike[str]"; }
  static std::string literal(const std::string& value) { return quoted(value); }
  static std::string from(nanobind::handle value, const std::string& place) {
    return to_text(value, place);
  }
};

template <class T>
struct Convert<std::vector<T>> {
  static std::string annotation() {
    return "collections.abc.Sequence[" + Convert<T>::annotation() + "]";
  }
  static std::string literal(const std::vector<T>& values) {
    std::string text;
    for (const T& value : values) text += Convert<T>::literal(value) + ", ";
    return "(" + text + ")";
  }
  static std::vector<T> from(nanobind::handle value, const std::string& place) {
    // A single text is a sequence of characters to Python; that is never what is meant.
    if (nanobind::isinstance<nanobind::str>(value)) raise_type(place, annotation(), value);
    if (PyObject_HasAttrString(value.ptr(), "__iter__") == 0) {
      raise_type(place, annotation(), value);
    }
    std::vector<T> values;
    for (nanobind::handle element : value) {
      values.push_back(Convert<T>::from(element, place));
    }
    return values;
  }
};

template <class T>
struct Convert<std::map<std::string, T>> {
  static std::string annotation() {
    return "collections.abc.Mapping[str, " + Convert<T>::annotation() + "]";
  }
  static std::string literal(const std::map<std::string, T>&) { return "{}"; }
  static std::map<std::string, T> from(nanobind::handle value, const std::string& place) {
    if (!nanobind::isinstance<nanobind::dict>(value)) raise_type(place, annotation(), value);
    std::map<std::string, T> values;
    for (const auto& [name, element] : nanobind::borrow<nanobind::dict>(value)) {
      const std::string key = to_text(name, place);
      values.emplace(key, Convert<T>::from(element, place + "[" + quoted(key) + "]"));
    }
    return values;
  }
};

template <>
struct Convert<Tensor> {
  static std::string annotation() { return "numpy.typing.ArrayLike"; }
  static std::string literal(const Tensor&) { return "None"; }
  static Tensor from(nanobind::handle value, const std::string& place) {
    return to_tensor(value, place);
  }
};

template <class T>
struct Convert<std::optional<T>> {
  static std::string annotation() { return Convert<T>::annotation() + " | None"; }
  static std::string literal(const std::optional<T>& value) {
    return value.has_value() ? Convert<T>::literal(*value) : "None";
  }
  static std::optional<T> from(nanobind::handle value, const std::string& place) {
    if (value.is_none()) return std::nullopt;
    return Convert<T>::from(value, place);
  }
};

template <>
struct Convert<std::pair<double, double>> {
  static std::string annotation() { return "tuple[float, float]"; }
  static std::string literal(const std::pair<double, double>& value) {
    return fmt::format("({}, {})", value.first, value.second);
  }
  static std::pair<double, double> from(nanobind::handle value, const std::string& place);
};

template <>
struct Convert<ChatMessage> {
  static std::string annotation() { return "collections.abc.Mapping[str, str]"; }
  static std::string literal(const ChatMessage&) { return "{}"; }
  static ChatMessage from(nanobind::handle value, const std::string& place);
};

using Progress = std::function<void(std::string_view stage, size_t done, size_t total)>;
template <>
struct Convert<Progress> {
  static std::string annotation() {
    return "collections.abc.Callable[[str, int, int], object] | None";
  }
  static std::string literal(const Progress&) { return "None"; }
  static Progress from(nanobind::handle value, const std::string& place);
};

using TextSink = std::function<bool(std::string_view text)>;
template <>
struct Convert<TextSink> {
  static std::string annotation() { return "collections.abc.Callable[[str], object] | None"; }
  static std::string literal(const TextSink&) { return "None"; }
  static TextSink from(nanobind::handle value, const std::string& place);
};

// A keyword argument of a Python function that fills one field of an options struct.
template <class Options>
struct Keyword {
  std::string name, annotation, standard, doc;
  std::function<void(Options&, nanobind::handle)> set;
};

// `field` is a pointer to a member of Options, or a function from Options& to the field.
template <class Options, class Field>
Keyword<Options> keyword(const std::string& name, Field field, const std::string& doc) {
  using T = std::remove_reference_t<std::invoke_result_t<Field, Options&>>;
  Options usual;
  return {name, Convert<T>::annotation(), Convert<T>::literal(std::invoke(field, usual)), doc,
          [field, name](Options& options, nanobind::handle value) {
            std::invoke(field, options) = Convert<T>::from(value, name);
          }};
}

// The keyword arguments of one function: they make its signature, its documentation and its
// options.
template <class Options>
class Keywords {
 public:
  Keywords(std::initializer_list<Keyword<Options>> list) : list_(list) {}
  Keywords& add(const Keywords& other) {
    list_.insert(list_.end(), other.list_.begin(), other.list_.end());
    return *this;
  }

  Options read(const nanobind::kwargs& given) const {
    Options options;
    for (const auto& [name, value] : given) {
      const auto key = nanobind::cast<std::string>(name);
      const Keyword<Options>* keyword = find(key);
      if (keyword == nullptr) raise(usage_error("no keyword '{}'; there are {}", key, names()));
      keyword->set(options, value);
    }
    return options;
  }

  // "def NAME(POSITIONAL, *, key: type = value, ...) -> RESULT"
  std::string signature(const std::string& name, const std::string& positional,
                        const std::string& result) const {
    std::string text = "def " + name + "(" + positional;
    if (!list_.empty()) text += positional.empty() ? "*" : ", *";
    for (const auto& keyword : list_) {
      text += ", " + keyword.name + ": " + keyword.annotation + " = " + keyword.standard;
    }
    return text + ") -> " + result;
  }

  std::string documentation(const std::string& summary) const {
    if (list_.empty()) return summary;
    std::string text = summary + "\n\nKeywords:\n";
    for (const auto& keyword : list_) text += "  " + keyword.name + ": " + keyword.doc + "\n";
    return text;
  }

 private:
  const Keyword<Options>* find(const std::string& name) const {
    for (const auto& keyword : list_) {
      if (keyword.name == name) return &keyword;
    }
    return nullptr;
  }
  std::string names() const {
    std::string text;
    for (const auto& keyword : list_) text += (text.empty() ? "" : ", ") + keyword.name;
    return text;
  }

  std::vector<Keyword<Options>> list_;
};

}  // namespace edgewright::python
