#include "api/server_connection.h"

#include "base/file.h"
#include "serve/grpc/grpc_client.h"

namespace edgewright {

Result<ServerConnection> ServerConnection::of(const ServerOptions& options) {
  // A token is a line of text.
  constexpr size_t kMaxTokenBytes = 1 << 16;
  ServerConnection connection;
  EDGEWRIGHT_ASSIGN(connection.address_, parse_server_address(options.url));
  connection.client_.authorities = options.authorities;
  if (options.token_file.empty()) return connection;
  EDGEWRIGHT_ASSIGN(std::string token, read_file(options.token_file, kMaxTokenBytes));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
  const bool is_plain = !token.empty() && token.find_first_of("\r\n\t ") == std::string::npos;
  if (!is_plain) return bad_input("{}: found no token, expected one line", options.token_file);
  connection.client_.token = std::move(token);
  return connection;
}

Result<std::unique_ptr<InferenceClient>> ServerConnection::open() const {
  return address_.is_grpc ? open_grpc_client(address_, client_)
                          : open_http_client(address_, client_);
}

InferenceClient::Deadline deadline_in(double time_us) {
  using Clock = std::chrono::steady_clock;
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double, std::micro>(time_us));
}

}  // namespace edgewright
