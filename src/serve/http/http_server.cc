#include "serve/http/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace edgewright {
namespace {

constexpr int kBacklog = 512;
constexpr int kMaxRefused = 32;
// Those who come when all places are taken wait so long (in the listener's queue) before they are
// told to come again.
constexpr auto kPatience = std::chrono::seconds(2);
constexpr auto kPatienceStep = std::chrono::milliseconds(20);
constexpr auto kHandshakeTime = std::chrono::seconds(10);
constexpr int64_t kWriteBytesPerS = 16 << 10;  // a slower reader is cut off
constexpr auto kWriteTime = std::chrono::seconds(10);

IoClock::time_point write_deadline(size_t bytes) {
  return IoClock::now() + kWriteTime +
         std::chrono::seconds(static_cast<int64_t>(bytes) / kWriteBytesPerS);
}

Result<int> bound_socket(const std::string& host, int port) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  if (const int code = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &found); code != 0) {
    return bad_input("cannot find the address '{}': {}", host, ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  const int descriptor = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return internal_error("cannot make a socket: {}", std::strerror(errno));
  const int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(descriptor, found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(descriptor, kBacklog) != 0) {
    const int code = errno;
    ::close(descriptor);
    return unsupported("cannot listen on {} port {}: {}", host, port, std::strerror(code));
  }
  return descriptor;
}

int port_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size);
  return ntohs(storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpOptions& options, Handler handler) {
  std::unique_ptr<HttpServer> server(new HttpServer(options, std::move(handler)));
  EDGEWRIGHT_TRY(server->listen());
  server->acceptor_ = std::thread([raw = server.get()] { raw->accept_all(); });
  return server;
}

Status HttpServer::listen() {
  stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_event_ < 0) return internal_error("cannot make an event: {}", std::strerror(errno));
  EDGEWRIGHT_ASSIGN(listener_, bound_socket(options_.host, options_.port));
  port_ = port_of(listener_);
  return {};
}

void HttpServer::stop() {
  if (stopping_.exchange(true)) return;
  const uint64_t one = 1;
  // Never read, so that every connection sees it.
  if (stop_event_ >= 0 && ::write(stop_event_, &one, sizeof(one)) < 0) return;
}

HttpServer::~HttpServer() {
  stop();
  if (acceptor_.joinable()) acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  one_accepted_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  if (listener_ >= 0) ::close(listener_);
  if (stop_event_ >= 0) ::close(stop_event_);
}

bool HttpServer::make_room() {
  std::unique_lock lock(mutex_);
  const auto has_room = [this] { return connections_ < options_.max_connections || stopping_; };
  while (!has_room()) {
    const auto now = IoClock::now();
    if (!full_since_) full_since_ = now;
    if (now >= *full_since_ + kPatience) return false;
    lock.unlock();
    seats_.cut_one_off(now);
    lock.lock();
    one_gone_.wait_for(lock, kPatienceStep, has_room);
  }
  full_since_.reset();
  return true;
}

void HttpServer::accept_all() {
  pollfd polled[2] = {{listener_, POLLIN, 0}, {stop_event_, POLLIN, 0}};
  while (!stopping_) {
    if (::poll(polled, 2, -1) < 0) continue;
    if (stopping_) break;
    const bool has_room = make_room();
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      // Out of descriptors: those in use come back, asking again at once would not help.
      if (errno == EMFILE || errno == ENFILE) ::usleep(10'000);
      continue;
    }
    // A few more than allowed are taken to be told so; the rest is closed without a word.
    if (connections_ >= options_.max_connections + kMaxRefused) {
      ::close(descriptor);
      continue;
    }
    if (!hand_over({descriptor, !has_room})) ::close(descriptor);
  }
}

bool HttpServer::hand_over(const Accepted& accepted) {
  {
    const std::lock_guard lock(mutex_);
    if (static_cast<int>(accepted_.size()) >= idle_workers_) {
      try {
        workers_.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        return false;
      }
      ++idle_workers_;  // from here on, so that the next connection does not make another for it
    }
    accepted_.push_back(accepted);
    ++connections_;
  }
  one_accepted_.notify_one();
  return true;
}

void HttpServer::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    one_accepted_.wait(lock, [this] { return !accepted_.empty() || is_closing_; });
    --idle_workers_;
    if (accepted_.empty()) return;
    const Accepted next = accepted_.front();
    accepted_.pop_front();
    lock.unlock();
    serve(next.descriptor, next.is_too_many);
    lock.lock();
    ++idle_workers_;
    --connections_;
    one_gone_.notify_all();
  }
}

void HttpServer::serve(int descriptor, bool is_too_many) {
  Connection connection(descriptor, stop_event_);
  const Seats::Place place = seats_.take(connection);
  const bool begun =
      !options_.tls || connection.begin_tls(*options_.tls, IoClock::now() + kHandshakeTime) ==
                           Connection::Outcome::kDone;
  if (begun && is_too_many) {
    const Refusal why = {
        RefusalKind::kUnavailable,
        fmt::format("{} connections are open, the most allowed", options_.max_connections)};
    refuse(connection, reply_of(why));
  } else if (begun) {
    serve_requests(connection);
  }
  seats_.leave(place);
}

void HttpServer::refuse(Connection& connection, const HttpReply& refusal) {
  connection.write_all(head_of(refusal, false, false), refusal.body,
                       write_deadline(refusal.body.size()));
  connection.linger();
}

void HttpServer::serve_requests(Connection& connection) {
  RequestReader reader(connection, options_.limits);
  while (true) {
    HttpRequest request;
    HttpReply refusal;
    const RequestReader::Outcome outcome = reader.read(request, refusal);
    if (outcome == RequestReader::Outcome::kClosed) return;
    if (outcome == RequestReader::Outcome::kRefused) return refuse(connection, refusal);
    if (!answer(connection, request)) return;
  }
}

// A defect met by one request must not end the service of the others.
HttpReply HttpServer::handle(const HttpRequest& request) const {
  try {
    return handler_(request);
  } catch (const std::exception& error) {
    return reply_of({RefusalKind::kFailed, fmt::format("internal error: {}", error.what())});
  }
}

// Whether the connection goes on.
bool HttpServer::answer(Connection& connection, const HttpRequest& request) {
  const HttpReply reply = handle(request);
  const bool chunked = reply.stream && !request.is_http_1_0;
  const bool goes_on =
      request.keep_alive && !stopping_ && (chunked || !reply.stream) && !request.is_http_1_0;
  const std::string head = head_of(reply, goes_on, chunked);
  const bool head_only = request.method == "HEAD";
  const auto done = Connection::Outcome::kDone;
  if (!reply.stream || head_only) {
    const std::string_view body = head_only ? std::string_view() : std::string_view(reply.body);
    return connection.write_all(head, body, write_deadline(body.size())) == done && goes_on;
  }
  bool sound = connection.write_all(head, "", write_deadline(head.size())) == done;
  const auto send = [&](std::string_view piece) {
    if (!sound || piece.empty()) return sound;
    const std::string size = chunked ? fmt::format("{:x}\r\n", piece.size()) : std::string();
    std::string body(piece);
    if (chunked) body += "\r\n";
    sound = connection.write_all(size, body, write_deadline(body.size())) == done;
    return sound;
  };
  if (sound) reply.stream(send);
  if (sound && chunked) {
    sound = connection.write_all("0\r\n\r\n", "", write_deadline(0)) == done;
  }
  return sound && goes_on;
}

}  // namespace edgewright
