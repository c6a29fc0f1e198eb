#include "keywords.h"

#include <memory>

namespace nb = nanobind;

namespace edgewright::python {
namespace {

// A Python function that the library may copy and drop on any thread.
std::shared_ptr<nb::object> keep(nb::handle function) {
  return {new nb::object(nb::borrow(function)), [](nb::object* kept) {
            const nb::gil_scoped_acquire acquire;
            delete kept;
          }};
}

nb::str text(std::string_view view) { return nb::str(view.data(), view.size()); }

// Signals (Control-C) are only looked at when Python code runs; a callback is a chance for it.
void check_signals() {
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

}  // namespace

void raise_type(const std::string& place, const std::string& expected, nb::handle found) {
  const auto type = nb::cast<std::string>(found.type().attr("__name__"));
  raise(usage_error("'{}' is a {}, expected {}", place, type, expected));
}

std::string to_text(nb::handle value, const std::string& place) {
  if (nb::isinstance<nb::str>(value)) return nb::cast<std::string>(value);
  const nb::object path = nb::steal(PyOS_FSPath(value.ptr()));
  if (!path.is_valid()) PyErr_Clear();
  if (!path.is_valid() || !nb::isinstance<nb::str>(path)) {
    raise_type(place, "str or os.PathLike", value);
  }
  return nb::cast<std::string>(path);
}

std::string quoted(const std::string& text) {
  return nb::cast<std::string>(nb::repr(nb::str(text.c_str(), text.size())));
}

std::pair<double, double> Convert<std::pair<double, double>>::from(nb::handle value,
                                                                   const std::string& place) {
  const auto values = Convert<std::vector<double>>::from(value, place);
  if (values.size() != 2) raise(usage_error("'{}' takes pairs of numbers", place));
  return {values[0], values[1]};
}

ChatMessage Convert<ChatMessage>::from(nb::handle value, const std::string& place) {
  auto fields = Convert<std::map<std::string, std::string>>::from(value, place);
  if (fields.size() != 2 || !fields.contains("role") || !fields.contains("content")) {
    raise(usage_error("'{}' takes dictionaries with 'role' and 'content'", place));
  }
  return {fields["role"], fields["content"]};
}

Progress Convert<Progress>::from(nb::handle value, const std::string& place) {
  if (value.is_none()) return nullptr;
  if (PyCallable_Check(value.ptr()) == 0) raise_type(place, annotation(), value);
  return [function = keep(value)](std::string_view stage, size_t done, size_t total) {
    const nb::gil_scoped_acquire acquire;
    try {
      check_signals();
      (*function)(text(stage), done, total);
    } catch (nb::python_error& error) {
      keep_callback_error(error);
    }
  };
}

TextSink Convert<TextSink>::from(nb::handle value, const std::string& place) {
  if (value.is_none()) return nullptr;
  if (PyCallable_Check(value.ptr()) == 0) raise_type(place, annotation(), value);
  // Only False cancels, so that functions that return nothing (print) serve.
  return [function = keep(value)](std::string_view part) {
    const nb::gil_scoped_acquire acquire;
    try {
      check_signals();
      return (*function)(text(part)).ptr() != Py_False;
    } catch (nb::python_error& error) {
      keep_callback_error(error);
      return false;
    }
  };
}

}  // namespace edgewright::python
