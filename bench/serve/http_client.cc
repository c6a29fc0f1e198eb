#include "http_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace edgewright {

HttpClient::HttpClient(const std::string& address, int port)
    : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  ::inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
    ::close(descriptor_);
    descriptor_ = -1;
  }
}

HttpClient::~HttpClient() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool HttpClient::read_more() {
  char piece[65536];
  const ssize_t got = ::recv(descriptor_, piece, sizeof(piece), 0);
  if (got <= 0) return false;
  answer_.append(piece, static_cast<size_t>(got));
  return true;
}

int HttpClient::ask(std::string_view request) {
  answer_.clear();
  while (!request.empty()) {
    const ssize_t sent = ::send(descriptor_, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    request.remove_prefix(static_cast<size_t>(sent));
  }
  size_t head = std::string::npos;
  while ((head = answer_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more()) return 0;
  }
  // Servers write the name in different cases.
  size_t length = answer_.find("ontent-");
  while (length != std::string::npos && length < head && (answer_[length + 7] | 0x20) != 'l') {
    length = answer_.find("ontent-", length + 1);
  }
  if (length == std::string::npos || length > head) return 0;
  const size_t body = std::strtoull(answer_.c_str() + answer_.find(':', length) + 1, nullptr, 10);
  while (answer_.size() < head + 4 + body) {
    if (!read_more()) return 0;
  }
  return std::atoi(answer_.c_str() + answer_.find(' '));
}

std::string post_request(std::string_view path, std::string_view headers, std::string_view body) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{}\r\n{}", path,
                     body.size(), headers, body);
}

}  // namespace edgewright
