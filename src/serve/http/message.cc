#include "serve/http/message.h"

#include "serve/protocol/metadata_json.h"

namespace edgewright {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

std::optional<std::vector<std::string>> HttpRequest::segments() const {
  std::vector<std::string> found;
  std::string_view path = target;
  path = path.substr(0, path.find_first_of("?#"));
  std::string segment;
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '/') {
      if (!segment.empty()) found.push_back(std::move(segment));
      segment.clear();
      continue;
    }
    if (c == '%') {
      const int high = i + 2 < path.size() ? hex_digit(path[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_digit(path[i + 2]);
      if (low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    segment += c;
  }
  if (!segment.empty()) found.push_back(std::move(segment));
  return found;
}

HttpReply reply_of(const Refusal& refusal) {
  const RefusalRow& row = refusal_row(refusal.kind);
  HttpReply reply;
  reply.status = row.http_status;
  reply.reason = row.http_reason;
  reply.body = oip::encode_error(refusal.message);
  if (refusal.kind == RefusalKind::kExhausted || refusal.kind == RefusalKind::kUnavailable) {
    reply.headers.emplace_back("Retry-After", "1");
  }
  if (refusal.kind == RefusalKind::kUnauthenticated) {
    reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  return reply;
}

std::string head_of(const HttpReply& reply, bool keep_alive, bool chunked) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n", reply.status,
                                 reply.reason, reply.content_type);
  if (chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!reply.stream) {
    head += fmt::format("Content-Length: {}\r\n", reply.body.size());
  }
  for (const auto& [name, value] : reply.headers) head += fmt::format("{}: {}\r\n", name, value);
  head += keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  return head;
}

}  // namespace edgewright
