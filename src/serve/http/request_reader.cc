#include "serve/http/request_reader.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstring>
#include <utility>

namespace edgewright {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr size_t kReadBytes = size_t{64} << 10;

std::string lower_case(beast::string_view text) {
  std::string out(text.data(), text.size());
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

Refusal refusal_for(const beast::error_code& code, const HttpLimits& limits) {
  if (code == http::error::body_limit) {
    return {RefusalKind::kTooLarge, fmt::format("the body is larger than {} bytes; split the "
                                                "request, or start with a larger --max-body-mb",
                                                limits.body_bytes)};
  }
  if (code == http::error::header_limit) {
    return {RefusalKind::kTooLarge,
            fmt::format("the header is larger than {} bytes", limits.header_bytes)};
  }
  return {RefusalKind::kMalformed, fmt::format("no HTTP/1.1: {}", code.message())};
}

}  // namespace

struct RequestReader::Parser {
  http::request_parser<http::string_body> http;
};

RequestReader::RequestReader(Connection& connection, const HttpLimits& limits)
    : connection_(connection),
      limits_(limits),
      buffer_(std::make_unique_for_overwrite<char[]>(kReadBytes)) {}
RequestReader::~RequestReader() = default;

RequestReader::Outcome RequestReader::refuse(const Refusal& why, HttpReply& refusal) const {
  refusal = reply_of(why);
  return Outcome::kRefused;
}

IoClock::time_point RequestReader::body_deadline() const {
  const auto earned = std::chrono::milliseconds(static_cast<int64_t>(body_received_) * 1000 /
                                                limits_.body_bytes_per_s);
  return began_ + 2 * limits_.header_time + earned;
}

// Once the header is complete: what it asks of us before the body comes.
RequestReader::Outcome RequestReader::after_header(HttpReply& refusal) {
  header_seen_ = true;
  const auto& message = parser_->http.get();
  const auto encoding = message[http::field::content_encoding];
  if (!encoding.empty() && encoding != "identity") {
    return refuse({RefusalKind::kUnsupported, "compressed bodies are not supported"}, refusal);
  }
  if (beast::iequals(message[http::field::expect], "100-continue")) {
    connection_.write_all("HTTP/1.1 100 Continue\r\n\r\n", "", body_deadline());
  }
  return Outcome::kRequest;
}

// Gives the parser what has been read.
RequestReader::Outcome RequestReader::parse(HttpReply& refusal) {
  while (begin_ < end_ && !parser_->http.is_done()) {
    beast::error_code code;
    const size_t taken = parser_->http.put({buffer_.get() + begin_, end_ - begin_}, code);
    begin_ += taken;
    if (header_seen_) body_received_ += taken;
    if (code == http::error::need_more) break;
    if (code) return refuse(refusal_for(code, limits_), refusal);
    if (!header_seen_ && parser_->http.is_header_done()) {
      if (const Outcome outcome = after_header(refusal); outcome != Outcome::kRequest) {
        return outcome;
      }
    }
  }
  // What waits for more moves to the front, so that there is always room behind it: it is a part of
  // a header, which is smaller than the buffer.
  if (begin_ > 0) std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  return Outcome::kRequest;
}

RequestReader::Outcome RequestReader::read(HttpRequest& request, HttpReply& refusal) {
  parser_ = std::make_unique<Parser>();
  parser_->http.header_limit(static_cast<uint32_t>(limits_.header_bytes));
  parser_->http.body_limit(limits_.body_bytes);
  parser_->http.eager(true);
  header_seen_ = false;
  body_received_ = 0;
  began_ = IoClock::now();
  if (!connection_.enter(begin_ < end_ ? Connection::Phase::kReading : Connection::Phase::kIdle)) {
    return Outcome::kClosed;
  }
  bool begun = begin_ < end_;  // of the next request, sent before this one's answer
  if (begun) {
    if (const Outcome outcome = parse(refusal); outcome != Outcome::kRequest) return outcome;
  }
  while (!parser_->http.is_done()) {
    const auto deadline = !begun         ? began_ + limits_.idle_time
                          : header_seen_ ? body_deadline()
                                         : began_ + limits_.header_time;
    if (end_ == kReadBytes) {
      return refuse({RefusalKind::kTooLarge, "the header of a chunk is too large"}, refusal);
    }
    size_t got = 0;
    const auto outcome =
        connection_.read_some(buffer_.get() + end_, kReadBytes - end_, got, deadline, !begun);
    if (outcome == Connection::Outcome::kTimeout && begun) {
      refusal = reply_of({RefusalKind::kMalformed, "the request came too slowly"});
      refusal.status = 408;
      refusal.reason = "Request Timeout";
      return Outcome::kRefused;
    }
    if (outcome != Connection::Outcome::kDone) return Outcome::kClosed;
    end_ += got;
    if (!begun) {
      began_ = IoClock::now();
      if (!connection_.enter(Connection::Phase::kReading)) return Outcome::kClosed;
    }
    begun = true;
    if (const Outcome parsed = parse(refusal); parsed != Outcome::kRequest) return parsed;
  }
  if (!connection_.enter(Connection::Phase::kAnswering)) return Outcome::kClosed;
  auto message = parser_->http.release();
  request = {};
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    request.headers.emplace_back(lower_case(field.name_string()), std::string(field.value()));
  }
  request.keep_alive = message.keep_alive();
  request.is_http_1_0 = message.version() < 11;
  request.body = std::move(message.body());
  request.address = connection_.address();
  return Outcome::kRequest;
}

}  // namespace edgewright
