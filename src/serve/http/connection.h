#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

// OpenSSL's own types, whose header is not needed here.
struct ssl_ctx_st;
struct ssl_st;

namespace edgewright {

using IoClock = std::chrono::steady_clock;

// A certificate and its key for connections that are encrypted (TLS 1.2 or later).
class TlsIdentity {
 public:
  // PEM files. Errors: bad input naming the file.
  static Result<std::shared_ptr<TlsIdentity>> load(const std::string& certificate,
                                                   const std::string& key);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;
  ssl_ctx_st* context() const { return context_; }

 private:
  explicit TlsIdentity(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

// A connected socket whose every step ends by a time that the caller names. Owns the descriptor.
class Connection {
 public:
  enum class Outcome : uint8_t { kDone, kClosed, kTimeout, kStopped };

  // `stop` becomes readable when waiting for a request is to end.
  Connection(int descriptor, int stop);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Outcome begin_tls(const TlsIdentity& identity, IoClock::time_point deadline);
  // Reads what is there, at least a byte. `heed_stop`: nothing has been read of a request yet.
  Outcome read_some(char* to, size_t room, size_t& read, IoClock::time_point deadline,
                    bool heed_stop);
  Outcome write_all(std::string_view head, std::string_view body, IoClock::time_point deadline);
  // The peer's address, without its port.
  const std::string& address() const { return address_; }
  // Says that nothing more is written and reads what the peer still sends, for a short time: a
  // refusal must not be lost because its request was not read to the end.
  void linger();

 private:
  Outcome wait(short events, IoClock::time_point deadline, bool heed_stop);
  Outcome wait_tls(int result, IoClock::time_point deadline, bool heed_stop);
  Outcome write_tls(std::string_view bytes, IoClock::time_point deadline);

  int descriptor_, stop_;
  ssl_st* tls_ = nullptr;
  std::string address_;
};

}  // namespace edgewright
