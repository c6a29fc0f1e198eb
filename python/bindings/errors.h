#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <utility>

#include "edgewright/result.h"

namespace edgewright::python {

// Raises the Python class of the error's kind (edgewright.errors) with the same message.
[[noreturn]] void raise(const Error& error);

template <class T>
T value_or_raise(Result<T> result) {
  if (!result.ok()) raise(result.error());
  return *std::move(result);
}
inline void value_or_raise(const Status& status) {
  if (!status.ok()) raise(status.error());
}

// The first Python exception of a callback during a call of the library, which knows no exceptions:
// it is raised once the call has ended.
void keep_callback_error(nanobind::python_error error);
void raise_callback_error();

// Calls the library with the interpreter's lock released; raises its error, or that of a callback.
template <class Call>
auto released(Call&& call) {
  std::optional<decltype(call())> result;
  {
    const nanobind::gil_scoped_release release;
    result.emplace(call());
  }
  raise_callback_error();
  return value_or_raise(*std::move(result));
}

}  // namespace edgewright::python
