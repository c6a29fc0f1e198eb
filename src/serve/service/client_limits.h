#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "serve/refusal.h"

namespace edgewright {

// A bucket that fills at a rate and from which every request takes one; a plain value.
struct TokenBucket {
  double level = 0;
  int64_t updated_us = 0;
  bool operator==(const TokenBucket&) const = default;
};
// The bucket of a client that was never seen.
TokenBucket full_bucket(double capacity, int64_t now_us);
// Takes one where there is one; false, with nothing taken, where not.
bool take_token(TokenBucket& bucket, double rate_per_s, double capacity, int64_t now_us);

struct ClientLimitOptions {
  double requests_per_s = 0;  // 0: no limit. A second's worth may come at once.
  int concurrent = 0;         // requests of a client under way; 0: no limit
};

// Who asks: names by token, limits by name. Thread-safe.
class Clients {
 public:
  // `tokens`: lines "TOKEN" or "NAME TOKEN", '#' begins a comment. Errors: bad input with the line.
  static Result<std::map<std::string, std::string>> read_tokens(std::string_view text);

  // Digest of a token -> name of its client; empty: everybody is let in.
  Clients(std::map<std::string, std::string> names, ClientLimitOptions limits)
      : names_(std::move(names)), limits_(limits) {}

  // The client's name for an Authorization header ("Bearer TOKEN"); `address` is the name where no
  // tokens are asked for.
  Reply<std::string> identify(std::string_view authorization, const std::string& address) const;

  // Admits a request, until the ticket is dropped.
  class Ticket {
   public:
    Ticket(Clients* clients, std::string client) : clients_(clients), client_(std::move(client)) {}
    Ticket(Ticket&& other) noexcept
        : clients_(std::exchange(other.clients_, nullptr)), client_(std::move(other.client_)) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket();

   private:
    Clients* clients_;
    std::string client_;
  };
  Reply<Ticket> admit(const std::string& client);

 private:
  struct Client {
    TokenBucket bucket;
    int under_way = 0;
  };
  void forget_quiet_ones(int64_t now_us);

  const std::map<std::string, std::string> names_;
  const ClientLimitOptions limits_;
  std::mutex mutex_;
  std::map<std::string, Client> clients_;
};

}  // namespace edgewright
