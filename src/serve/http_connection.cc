#include "serve/http_connection.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/rfc2818_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <charconv>
#include <optional>

namespace edgewright {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// A connection without TLS.
struct PlainStream {
  using Stream = beast::tcp_stream;
  explicit PlainStream(asio::io_context& context, asio::ssl::context*) : stream(context) {}
  beast::tcp_stream& lowest() { return stream; }
  Stream stream;
};
struct EncryptedStream {
  using Stream = beast::ssl_stream<beast::tcp_stream>;
  EncryptedStream(asio::io_context& context, asio::ssl::context* trust) : stream(context, *trust) {}
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream); }
  Stream stream;
};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

bool is_lost(const ErrorCode& error) {
  return error == http::error::end_of_stream || error == asio::error::eof ||
         error == asio::error::connection_reset || error == asio::error::connection_aborted ||
         error == asio::error::broken_pipe || error == asio::error::not_connected;
}

template <class Kind>
class BeastConnection : public HttpConnection {
 public:
  BeastConnection(ServerAddress address, ClientOptions options,
                  tcp::resolver::results_type endpoints, std::unique_ptr<asio::ssl::context> trust)
      : address_(std::move(address)),
        options_(std::move(options)),
        endpoints_(std::move(endpoints)),
        trust_(std::move(trust)) {}

  Result<ClientReply> exchange(const ClientRequest& request, Clock::time_point deadline) override {
    const bool is_kept = open_.has_value();
    bool has_begun = false;
    ClientReply reply;
    ErrorCode error = attempt(request, deadline, reply, has_begun);
    if (is_kept && !has_begun && is_lost(error)) {
      error = attempt(request, deadline, reply, has_begun);
    }
    if (!error) return reply;
    open_.reset();
    return describe(error, request);
  }

 private:
  // Runs one asynchronous operation to its end; the stream's expiry ends it at the deadline.
  template <class Start>
  ErrorCode run(Start&& start) {
    ErrorCode result = asio::error::operation_aborted;
    start([&result](const ErrorCode& error, const auto&...) { result = error; });
    context_.restart();
    context_.run();
    return result;
  }

  ErrorCode open(Clock::time_point deadline) {
    buffer_.clear();
    open_.emplace(context_, trust_.get());
    open_->lowest().expires_at(deadline);
    ErrorCode error =
        run([this](auto done) { open_->lowest().async_connect(endpoints_, std::move(done)); });
    if (error) return error;
    // A request is one message; nothing is gained by waiting for more.
    open_->lowest().socket().set_option(tcp::no_delay(true), error);
    if constexpr (std::is_same_v<Kind, EncryptedStream>) {
      if (SSL_set_tlsext_host_name(open_->stream.native_handle(), address_.host.c_str()) != 1) {
        return asio::error::invalid_argument;
      }
      open_->stream.set_verify_callback(asio::ssl::rfc2818_verification(address_.host));
      error = run([this](auto done) {
        open_->stream.async_handshake(asio::ssl::stream_base::client, std::move(done));
      });
    }
    return error;
  }

  // `has_begun`: whether any of the reply has arrived.
  ErrorCode attempt(const ClientRequest& request, Clock::time_point deadline, ClientReply& reply,
                    bool& has_begun) {
    if (!open_) {
      if (const ErrorCode error = open(deadline)) {
        open_.reset();
        return error;
      }
    }
    open_->lowest().expires_at(deadline);
    const auto message = message_of(request);
    ErrorCode error =
        run([&](auto done) { http::async_write(open_->stream, message, std::move(done)); });
    // A server that refuses early closes its side, but its reply may be there to read.
    if (error && !is_lost(error)) return error;
    http::response_parser<http::string_body> parser;
    parser.body_limit(options_.largest_reply);
    parser.header_limit(static_cast<uint32_t>(options_.largest_header));
    error =
        run([&](auto done) { http::async_read(open_->stream, buffer_, parser, std::move(done)); });
    has_begun = parser.got_some();
    if (error) {
      open_.reset();
      return error;
    }
    const bool is_kept = parser.get().keep_alive();
    take(parser.release(), reply);
    if (!is_kept) open_.reset();
    return {};
  }

  http::request<http::string_body> message_of(const ClientRequest& request) const {
    http::request<http::string_body> message;
    message.method_string(request.method);
    message.target(address_.prefix + request.path);
    message.version(11);
    message.set(http::field::host, address_.host + ":" + address_.port);
    message.set(http::field::user_agent, "edgewright");
    if (!options_.token.empty()) {
      message.set(http::field::authorization, "Bearer " + options_.token);
    }
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    message.prepare_payload();
    return message;
  }

  static void take(http::response<http::string_body> message, ClientReply& reply) {
    reply.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
      const std::string_view name(field.name_string().data(), field.name_string().size());
      const std::string_view value(field.value().data(), field.value().size());
      reply.headers[lower_case(name)] = value;
    }
    reply.body = std::move(message.body());
  }

  Error describe(const ErrorCode& error, const ClientRequest& request) const {
    const std::string place = fmt::format("{} {}{}", request.method, address_.text(), request.path);
    if (error == beast::error::timeout) {
      return check_failed("{}: no whole answer before the deadline", place);
    }
    if (error == http::error::body_limit || error == http::error::header_limit) {
      return bad_input(
          "{}: the reply is larger than the {} bytes allowed", place,
          error == http::error::body_limit ? options_.largest_reply : options_.largest_header);
    }
    if (error.category() == make_error_code(http::error::bad_version).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return bad_input("{}: found a reply that is no HTTP: {}", place, error.message());
    }
    return check_failed("{}: {}", place, lower_case(error.message()));
  }

  ServerAddress address_;
  ClientOptions options_;
  tcp::resolver::results_type endpoints_;
  std::unique_ptr<asio::ssl::context> trust_;
  asio::io_context context_{1};
  std::optional<Kind> open_;
  beast::flat_buffer buffer_;
};

Result<std::unique_ptr<asio::ssl::context>> trust_of(const ClientOptions& options) {
  auto trust = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  trust->set_verify_mode(asio::ssl::verify_peer);
  ErrorCode error;
  if (options.authorities.empty()) {
    trust->set_default_verify_paths(error);
  } else {
    trust->load_verify_file(options.authorities, error);
  }
  if (error) {
    return usage_error("{}: found no certificates to trust: {}", options.authorities,
                       error.message());
  }
  return trust;
}

}  // namespace

std::string ServerAddress::text() const {
  return fmt::format("{}{}://{}:{}{}", is_grpc ? "grpc" : "http", is_encrypted ? "s" : "", host,
                     port, prefix);
}

Result<ServerAddress> parse_server_address(std::string_view url) {
  ServerAddress address;
  std::string_view rest = url;
  struct Scheme {
    std::string_view text, port;
    bool is_encrypted, is_grpc;
  };
  // 8001 is the port of gRPC in the protocol's servers; there is no registered one.
  constexpr Scheme kSchemes[] = {{"http://", "80", false, false},
                                 {"https://", "443", true, false},
                                 {"grpc://", "8001", false, true},
                                 {"grpcs://", "8001", true, true}};
  const auto* const scheme = std::ranges::find_if(
      kSchemes, [url](const Scheme& known) { return url.starts_with(known.text); });
  if (scheme == std::end(kSchemes)) {
    return usage_error("found server '{}', expected http, https, grpc or grpcs://HOST:PORT", url);
  }
  address.is_encrypted = scheme->is_encrypted;
  address.is_grpc = scheme->is_grpc;
  rest.remove_prefix(scheme->text.size());
  const std::string_view authority = rest.substr(0, rest.find('/'));
  address.prefix = rest.substr(authority.size());
  while (address.prefix.ends_with('/')) address.prefix.pop_back();
  // An address of IP version 6 stands in brackets.
  const size_t bracket = authority.find(']');
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  address.host = authority.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  address.port = scheme->port;
  if (colon != std::string_view::npos) address.port = authority.substr(colon + 1);
  unsigned port = 0;
  const char* end = address.port.data() + address.port.size();
  const auto [stop, code] = std::from_chars(address.port.data(), end, port);
  if (address.host.empty() || code != std::errc() || stop != end || port == 0 || port > 65535) {
    return usage_error("found server '{}', expected a host and a port of 1 to 65535", url);
  }
  return address;
}

Result<std::unique_ptr<HttpConnection>> open_http_connection(const ServerAddress& address,
                                                             const ClientOptions& options) {
  asio::io_context context;
  ErrorCode error;
  auto endpoints = tcp::resolver(context).resolve(address.host, address.port, error);
  if (error) {
    return check_failed("{}: found no address for '{}': {}", address.text(), address.host,
                        lower_case(error.message()));
  }
  std::unique_ptr<HttpConnection> connection;
  if (!address.is_encrypted) {
    connection = std::make_unique<BeastConnection<PlainStream>>(address, options,
                                                                std::move(endpoints), nullptr);
    return connection;
  }
  EDGEWRIGHT_ASSIGN(auto trust, trust_of(options));
  connection = std::make_unique<BeastConnection<EncryptedStream>>(
      address, options, std::move(endpoints), std::move(trust));
  return connection;
}

}  // namespace edgewright
