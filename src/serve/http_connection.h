#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace edgewright {

// Where a server listens: "http://host:port/prefix" or "https://...", or for gRPC
// "grpc://host:port" or "grpcs://host:port".
struct ServerAddress {
  bool is_encrypted = false, is_grpc = false;
  std::string host, port;
  std::string prefix;  // of every path; without a slash at its end

  std::string text() const;
};
// kUsage unless the scheme is one of these and host and port are well formed.
Result<ServerAddress> parse_server_address(std::string_view url);

struct ClientRequest {
  std::string method = "GET";
  std::string path;  // behind the address's prefix
  std::map<std::string, std::string> headers;
  std::string body;
};

struct ClientReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  bool is_success() const { return status >= 200 && status < 300; }
  // Whether the same request may succeed a moment later: the server is busy or its gateway has lost
  // it (429, 502, 503, 504).
  bool is_transient() const { return status == 429 || (status >= 502 && status <= 504); }
};

struct ClientOptions {
  std::string token;                         // sent as a bearer token; empty: none
  std::string authorities;                   // file of certificates to trust; empty: the system's
  size_t largest_reply = size_t{256} << 20;  // bytes of a reply's body
  size_t largest_header = size_t{64} << 10;  // bytes of a reply's header
};

// One connection that is kept open between exchanges and opened again when it was lost. One
// exchange at a time.
class HttpConnection {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~HttpConnection() = default;
  // Sends the request and reads the whole reply before the deadline, which bounds everything from
  // connecting to the last byte. kCheckFailed when the server is not reached or does not answer in
  // time, kBadInput when its reply is malformed or too large. Whatever has an HTTP status is a
  // reply. A kept connection that the server has closed meanwhile is replaced once, unnoticed.
  virtual Result<ClientReply> exchange(const ClientRequest& request,
                                       Clock::time_point deadline) = 0;
};

// Nothing is sent yet. kCheckFailed when the host's name has no address, kUsage when the file of
// authorities cannot be used.
Result<std::unique_ptr<HttpConnection>> open_http_connection(const ServerAddress& address,
                                                             const ClientOptions& options = {});

}  // namespace edgewright
