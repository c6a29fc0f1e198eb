#include "errors.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

// Of the thread that calls the library: callbacks come on it.
thread_local std::optional<nb::python_error> callback_error;

const char* class_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kCheckFailed: return "CheckFailed";
    case ErrorKind::kUsage: return "UsageError";
    case ErrorKind::kBadInput: return "BadInput";
    case ErrorKind::kUnsupported: return "Unsupported";
    case ErrorKind::kInternal: break;
  }
  return "InternalError";
}

}  // namespace

void raise(const Error& error) {
  const nb::object type = nb::module_::import_("edgewright.errors").attr(class_name(error.kind));
  PyErr_SetObject(type.ptr(), nb::str(error.message.c_str(), error.message.size()).ptr());
  throw nb::python_error();
}

void keep_callback_error(nb::python_error error) {
  if (!callback_error.has_value()) callback_error.emplace(std::move(error));
}

void raise_callback_error() {
  if (!callback_error.has_value()) return;
  nb::python_error error = *std::move(callback_error);
  callback_error.reset();
  throw error;
}

}  // namespace edgewright::python
