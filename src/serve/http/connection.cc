#include "serve/http/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace edgewright {
namespace {

constexpr auto kLingerTime = std::chrono::seconds(2);

std::string peer_address(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "?";
  char text[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&storage)->sin_addr, text, sizeof(text));
  } else if (storage.ss_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr, text,
                sizeof(text));
  }
  return text;
}

}  // namespace

Result<std::shared_ptr<TlsIdentity>> TlsIdentity::load(const std::string& certificate,
                                                       const std::string& key) {
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return internal_error("cannot make a TLS context");
  std::shared_ptr<TlsIdentity> identity(new TlsIdentity(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return bad_input("{} is no certificate in PEM form", certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return bad_input("{} is no private key in PEM form", key);
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return bad_input("{} is not the key of {}", key, certificate);
  }
  return identity;
}

TlsIdentity::~TlsIdentity() { SSL_CTX_free(context_); }

Connection::Connection(int descriptor, int stop)
    : descriptor_(descriptor), stop_(stop), address_(peer_address(descriptor)) {
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Connection::~Connection() {
  if (tls_ != nullptr) {
    SSL_shutdown(tls_);
    SSL_free(tls_);
  }
  ::close(descriptor_);
}

bool Connection::enter(Phase phase) {
  since_.store(IoClock::now(), std::memory_order_relaxed);
  Phase before = phase_.load(std::memory_order_relaxed);
  while (before != Phase::kCutOff) {
    if (phase_.compare_exchange_weak(before, phase)) return true;
  }
  return false;
}

std::optional<std::chrono::nanoseconds> Connection::waiting_in(Phase phase,
                                                               IoClock::time_point now) const {
  if (phase_.load() != phase) return std::nullopt;
  char byte = 0;
  // A request that has just come is not lost for having come late in the day.
  if (phase == Phase::kIdle && ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
    return std::nullopt;
  }
  return now - since_.load(std::memory_order_relaxed);
}

bool Connection::cut_off(Phase phase) {
  if (!phase_.compare_exchange_strong(phase, Phase::kCutOff)) return false;
  ::shutdown(descriptor_, SHUT_RDWR);
  return true;
}

Connection::Outcome Connection::wait(short events, IoClock::time_point deadline, bool heed_stop) {
  pollfd polled[2] = {{descriptor_, events, 0}, {stop_, POLLIN, 0}};
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - IoClock::now()).count();
    if (left <= 0) return Outcome::kTimeout;
    const int ready =
        ::poll(polled, heed_stop ? 2 : 1, static_cast<int>(std::min<int64_t>(left, 1'000'000)));
    if (ready < 0 && errno != EINTR) return Outcome::kClosed;
    if (ready <= 0) continue;
    if (polled[0].revents != 0) return Outcome::kDone;
    return Outcome::kStopped;
  }
}

Connection::Outcome Connection::wait_tls(int result, IoClock::time_point deadline, bool heed_stop) {
  switch (SSL_get_error(tls_, result)) {
    case SSL_ERROR_WANT_READ: return wait(POLLIN, deadline, heed_stop);
    case SSL_ERROR_WANT_WRITE: return wait(POLLOUT, deadline, heed_stop);
    default: return Outcome::kClosed;
  }
}

Connection::Outcome Connection::begin_tls(const TlsIdentity& identity,
                                          IoClock::time_point deadline) {
  tls_ = SSL_new(identity.context());
  if (tls_ == nullptr || SSL_set_fd(tls_, descriptor_) != 1) return Outcome::kClosed;
  while (true) {
    const int result = SSL_accept(tls_);
    if (result == 1) return Outcome::kDone;
    if (const Outcome outcome = wait_tls(result, deadline, true); outcome != Outcome::kDone) {
      // No shutdown is said to who never greeted.
      SSL_set_quiet_shutdown(tls_, 1);
      return outcome;
    }
  }
}

Connection::Outcome Connection::read_some(char* to, size_t room, size_t& read,
                                          IoClock::time_point deadline, bool heed_stop) {
  while (true) {
    Outcome outcome = Outcome::kDone;
    if (tls_ != nullptr) {
      const int result = SSL_read_ex(tls_, to, room, &read);
      if (result == 1) return Outcome::kDone;
      outcome = wait_tls(result, deadline, heed_stop);
    } else {
      const ssize_t result = ::recv(descriptor_, to, room, 0);
      if (result > 0) {
        read = static_cast<size_t>(result);
        return Outcome::kDone;
      }
      if (result == 0) return Outcome::kClosed;
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return Outcome::kClosed;
      outcome = wait(POLLIN, deadline, heed_stop);
    }
    if (outcome != Outcome::kDone) return outcome;
  }
}

Connection::Outcome Connection::write_tls(std::string_view bytes, IoClock::time_point deadline) {
  while (!bytes.empty()) {
    size_t written = 0;
    const int result = SSL_write_ex(tls_, bytes.data(), bytes.size(), &written);
    if (result == 1) {
      bytes.remove_prefix(written);
      continue;
    }
    if (const Outcome outcome = wait_tls(result, deadline, false); outcome != Outcome::kDone) {
      return outcome;
    }
  }
  return Outcome::kDone;
}

Connection::Outcome Connection::write_all(std::string_view head, std::string_view body,
                                          IoClock::time_point deadline) {
  if (tls_ != nullptr) {
    if (const Outcome outcome = write_tls(head, deadline); outcome != Outcome::kDone) {
      return outcome;
    }
    return write_tls(body, deadline);
  }
  while (!head.empty() || !body.empty()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t result = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (result >= 0) {
      const auto written = static_cast<size_t>(result);
      const size_t of_head = std::min(written, head.size());
      head.remove_prefix(of_head);
      body.remove_prefix(written - of_head);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Outcome::kClosed;
    if (const Outcome outcome = wait(POLLOUT, deadline, false); outcome != Outcome::kDone) {
      return outcome;
    }
  }
  return Outcome::kDone;
}

void Connection::linger() {
  if (!enter(Phase::kLeaving)) return;
  ::shutdown(descriptor_, SHUT_WR);
  const auto deadline = IoClock::now() + kLingerTime;
  char unread[4096];
  while (wait(POLLIN, deadline, true) == Outcome::kDone) {
    const ssize_t result = ::recv(descriptor_, unread, sizeof(unread), 0);
    if (result == 0 || (result < 0 && errno != EINTR && errno != EAGAIN)) return;
  }
}

}  // namespace edgewright
