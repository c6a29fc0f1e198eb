#include "serve/refusal.h"

namespace edgewright {
namespace {

constexpr RefusalRow kRows[] = {
    {RefusalKind::kMalformed, 400, "Bad Request", 3},
    {RefusalKind::kUnauthenticated, 401, "Unauthorized", 16},
    {RefusalKind::kForbidden, 403, "Forbidden", 7},
    {RefusalKind::kUnknown, 404, "Not Found", 5},
    {RefusalKind::kConflict, 409, "Conflict", 9},
    {RefusalKind::kTooLarge, 413, "Content Too Large", 8},
    {RefusalKind::kExhausted, 429, "Too Many Requests", 8},
    {RefusalKind::kFailed, 500, "Internal Server Error", 13},
    {RefusalKind::kUnsupported, 501, "Not Implemented", 12},
    {RefusalKind::kUnavailable, 503, "Service Unavailable", 14},
    {RefusalKind::kDeadline, 504, "Gateway Timeout", 4},
};

}  // namespace

const RefusalRow& refusal_row(RefusalKind kind) {
  for (const RefusalRow& row : kRows) {
    if (row.kind == kind) return row;
  }
  return kRows[7];
}

Refusal refusal_of(Error error) {
  RefusalKind kind = RefusalKind::kFailed;
  if (error.kind == ErrorKind::kUsage || error.kind == ErrorKind::kBadInput) {
    kind = RefusalKind::kMalformed;
  }
  if (error.kind == ErrorKind::kUnsupported) kind = RefusalKind::kUnsupported;
  return {kind, std::move(error.message)};
}

}  // namespace edgewright
