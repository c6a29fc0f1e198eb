#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace edgewright {

// Of this library: "0.1.0".
std::string_view version();

// Why something failed; the values are the exit codes of the command line.
enum class ErrorKind {
  kCheckFailed = 1,  // a check or goal failed: verification, threshold, service level
  kUsage = 2,        // wrong usage of a command or call
  kBadInput = 3,     // a malformed or hostile file or value
  kUnsupported = 4,  // well formed, but not supported here
  kInternal = 5,     // internal error or resource exhausted
};

// An expected failure. The message says what was found, what was expected, where (node, file
// offset) and how to fix it; lower case, no final stop.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;

  // The same error with the place put in front: "PLACE: message".
  Error at(std::string_view place) && { return {kind, fmt::format("{}: {}", place, message)}; }
};

template <class... Args>
Error check_failed(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorKind::kCheckFailed, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Error usage_error(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorKind::kUsage, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Error bad_input(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorKind::kBadInput, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Error unsupported(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorKind::kUnsupported, fmt::format(format, std::forward<Args>(args)...)};
}
template <class... Args>
Error internal_error(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorKind::kInternal, fmt::format(format, std::forward<Args>(args)...)};
}

// A value or the reason why there is none. Like std::optional, `*` and `->` need ok().
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

// Success, or the reason why not.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};
using Status = Result<void>;

[[noreturn]] void check_failure(const char* condition, const char* file, int line);

}  // namespace edgewright

#define EDGEWRIGHT_CONCAT_(a, b) a##b
#define EDGEWRIGHT_CONCAT(a, b) EDGEWRIGHT_CONCAT_(a, b)

// Returns the error of a Status or Result from the enclosing function.
#define EDGEWRIGHT_TRY(expression)                        \
  do {                                                    \
    if (auto ew_status = (expression); !ew_status.ok()) { \
      return std::move(ew_status).error();                \
    }                                                     \
  } while (false)

// EDGEWRIGHT_ASSIGN(auto x, f()): x = value of the Result, or returns its error.
#define EDGEWRIGHT_ASSIGN(target, expression) \
  EDGEWRIGHT_ASSIGN_(EDGEWRIGHT_CONCAT(ew_result_, __LINE__), target, expression)
#define EDGEWRIGHT_ASSIGN_(name, target, expression) \
  auto name = (expression);                          \
  if (!name.ok()) return std::move(name).error();    \
  target = *std::move(name)

// A broken invariant: a defect of this program, never of its input. Throws std::logic_error, which
// the command line turns into exit code 5.
#define EDGEWRIGHT_CHECK(condition)                                                \
  do {                                                                             \
    if (!(condition)) ::edgewright::check_failure(#condition, __FILE__, __LINE__); \
  } while (false)
