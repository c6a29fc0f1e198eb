#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/refusal.h"

namespace edgewright {

struct HttpRequest {
  std::string method, target;                                // "GET", "/v2/models/net?x=1"
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string address;  // the peer's
  bool keep_alive = true, is_http_1_0 = false;

  // Empty where there is none of this (lower-case) name.
  std::string_view header(std::string_view name) const;
  // Between the slashes, percent-decoded, without the query; nothing for a broken encoding.
  std::optional<std::vector<std::string>> segments() const;
};

struct HttpReply {
  int status = 200;
  std::string_view reason = "OK";
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string_view, std::string>> headers;
  std::string body;
  // In place of the body: called with what sends a piece and says whether more is wanted.
  std::function<void(const std::function<bool(std::string_view)>& send)> stream;
};

// {"error": ...} with the status of its kind.
HttpReply reply_of(const Refusal& refusal);
// Status line and headers up to and with the empty line. A stream is sent in chunks.
std::string head_of(const HttpReply& reply, bool keep_alive, bool chunked);

}  // namespace edgewright
