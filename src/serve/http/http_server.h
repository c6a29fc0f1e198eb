#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "serve/http/connection.h"
#include "serve/http/message.h"
#include "serve/http/request_reader.h"
#include "serve/http/seats.h"

namespace edgewright {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: one that is free
  int max_connections = 256;
  HttpLimits limits;
  std::shared_ptr<TlsIdentity> tls;  // null: not encrypted
};

// Listens and answers. Every connection has a thread to itself, which reads a request, computes the
// reply and writes it: no hand-over between threads costs time. When the connection ends its thread
// waits for the next one, so that clients who come and go make no new threads: there are never more
// than connections were open at once, which is bounded.
class HttpServer {
 public:
  using Handler = std::function<HttpReply(const HttpRequest& request)>;

  // Errors: bad input for an address that is none, unsupported for one that cannot be had.
  static Result<std::unique_ptr<HttpServer>> start(const HttpOptions& options, Handler handler);
  ~HttpServer();  // stop(), and waits for every connection
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }
  int connections() const { return connections_; }
  // Accepts no more, closes connections that wait for a request and the others after their reply.
  void stop();

 private:
  HttpServer(HttpOptions options, Handler handler)
      : options_(std::move(options)), handler_(std::move(handler)) {}
  Status listen();
  void accept_all();
  struct Accepted {
    int descriptor;
    bool is_too_many;  // to be told so, and closed
  };
  // To a thread that waits, else to a new one; false where none can be had.
  bool hand_over(const Accepted& accepted);
  void work();
  // Whether there is a place; asks those to go that deserve theirs least, and waits a while for it.
  bool make_room();
  void serve(int descriptor, bool is_too_many);
  static void refuse(Connection& connection, const HttpReply& refusal);
  HttpReply handle(const HttpRequest& request) const;
  void serve_requests(Connection& connection);
  bool answer(Connection& connection, const HttpRequest& request);

  const HttpOptions options_;
  const Handler handler_;
  int listener_ = -1, stop_event_ = -1, port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  std::condition_variable one_gone_, one_accepted_;
  std::deque<Accepted> accepted_;
  int idle_workers_ = 0;
  bool is_closing_ = false;
  std::vector<std::thread> workers_;
  Seats seats_;
  // Since when all places have been taken without one becoming free.
  std::optional<IoClock::time_point> full_since_;
  std::thread acceptor_;
};

}  // namespace edgewright
