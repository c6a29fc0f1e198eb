#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.h"

namespace edgewright {

// Why the server does not answer a request as asked.
enum class RefusalKind : uint8_t {
  kMalformed,        // the request is wrong
  kUnauthenticated,  // no token, or an unknown one
  kForbidden,        // not allowed on this server
  kUnknown,          // no such model, version or address
  kConflict,         // not in this state
  kTooLarge,
  kExhausted,  // over a limit of the client, or the queue is full: try again later
  kFailed,     // the server's own fault
  kUnsupported,
  kUnavailable,  // not ready, or shutting down
  kDeadline,     // not answered in time
};

struct Refusal {
  RefusalKind kind = RefusalKind::kFailed;
  std::string message;
};

// How the two transports say it: an HTTP status with its words, and a gRPC status code
// (github.com/grpc/grpc, doc/statuscodes.md).
struct RefusalRow {
  RefusalKind kind;
  int http_status;
  std::string_view http_reason;
  int grpc_code;
};
const RefusalRow& refusal_row(RefusalKind kind);

// What a failed step of the library means to the client that asked for it.
Refusal refusal_of(Error error);

// A value, or the refusal in its place. Like Result, `*` and `->` need ok().
template <class T>
class [[nodiscard]] Reply {
 public:
  Reply(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Reply(Refusal refusal) : state_(std::in_place_index<1>, std::move(refusal)) {}
  Reply(Error error) : state_(std::in_place_index<1>, refusal_of(std::move(error))) {}

  bool ok() const { return state_.index() == 0; }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Refusal& refusal() const& { return std::get<1>(state_); }
  Refusal&& refusal() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Refusal> state_;
};

}  // namespace edgewright
