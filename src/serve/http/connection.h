#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
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
  // What is going on, as far as a server asks that has no place left.
  enum class Phase : uint8_t {
    kIdle,       // nothing has come of the next request
    kReading,    // the greeting of TLS, or a request that has begun and is not complete
    kAnswering,  // the reply is made and written
    kLeaving,    // refused; the peer is given time to read that
    kCutOff,     // its place is given to another
  };
  // Of the thread that serves it. False: it has been cut off.
  bool enter(Phase phase);
  // Of any thread, as long as the connection lives. How long the phase lasts already; nothing for
  // one that is none of these to give up: kAnswering, kCutOff, or kIdle with a request to read.
  std::optional<std::chrono::nanoseconds> waiting_in(Phase phase, IoClock::time_point now) const;
  // Ends it where it is still in this phase: what reads or waits sees the peer's end.
  bool cut_off(Phase phase);

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
  std::atomic<Phase> phase_ = Phase::kReading;
  std::atomic<IoClock::time_point> since_ = IoClock::now();
};

}  // namespace edgewright
