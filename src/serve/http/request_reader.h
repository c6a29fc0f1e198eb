#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "serve/http/connection.h"
#include "serve/http/message.h"

namespace edgewright {

struct HttpLimits {
  size_t header_bytes = size_t{16} << 10;
  size_t body_bytes = size_t{64} << 20;
  std::chrono::milliseconds idle_time{60'000};    // between requests of a connection
  std::chrono::milliseconds header_time{10'000};  // from a request's first byte to its header's end
  // A body has to arrive at this rate, after as long as the header may take.
  int64_t body_bytes_per_s = 16 << 10;
};

// The requests of one connection, one after another, within the limits: whoever sends slowly, too
// much or what is no HTTP/1.1 is refused and its connection closed.
class RequestReader {
 public:
  RequestReader(Connection& connection, const HttpLimits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  enum class Outcome : uint8_t { kRequest, kRefused, kClosed };
  // kRefused: `refusal` is to be said before closing. kClosed: nothing is to be said.
  Outcome read(HttpRequest& request, HttpReply& refusal);

 private:
  struct Parser;
  Outcome refuse(const Refusal& why, HttpReply& refusal) const;
  Outcome parse(HttpReply& refusal);
  Outcome after_header(HttpReply& refusal);
  IoClock::time_point body_deadline() const;

  Connection& connection_;
  const HttpLimits limits_;
  std::unique_ptr<Parser> parser_;
  // Read and not yet parsed: [begin_, end_) of a buffer of one size, which nobody clears.
  std::unique_ptr<char[]> buffer_;
  size_t begin_ = 0, end_ = 0;
  IoClock::time_point began_;
  bool header_seen_ = false;
  size_t body_received_ = 0;
};

}  // namespace edgewright
