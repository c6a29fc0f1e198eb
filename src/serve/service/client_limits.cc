#include "serve/service/client_limits.h"

#include <algorithm>

#include "base/digest.h"

namespace edgewright {
namespace {

// So many clients are remembered before those are forgotten whose bucket is full anyway.
constexpr size_t kMaxClients = 4096;

int64_t now_microseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double capacity_of(const ClientLimitOptions& limits) {
  return std::max(1.0, limits.requests_per_s);
}

}  // namespace

TokenBucket full_bucket(double capacity, int64_t now_us) { return {capacity, now_us}; }

bool take_token(TokenBucket& bucket, double rate_per_s, double capacity, int64_t now_us) {
  const double passed_s =
      static_cast<double>(std::max<int64_t>(0, now_us - bucket.updated_us)) / 1e6;
  bucket.level = std::min(capacity, bucket.level + passed_s * rate_per_s);
  bucket.updated_us = std::max(bucket.updated_us, now_us);
  if (bucket.level < 1) return false;
  bucket.level -= 1;
  return true;
}

Result<std::map<std::string, std::string>> Clients::read_tokens(std::string_view text) {
  std::map<std::string, std::string> names;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    std::vector<std::string> words;
    while (true) {
      const size_t begin = line.find_first_not_of(" \t\r");
      if (begin == std::string_view::npos) break;
      const size_t length = std::min(line.find_first_of(" \t\r", begin), line.size()) - begin;
      words.emplace_back(line.substr(begin, length));
      line.remove_prefix(begin + length);
    }
    if (words.empty()) continue;
    if (words.size() > 2 || words.back().size() < 16) {
      return bad_input(
          "line {}: expected TOKEN or NAME TOKEN, with a token of 16 characters or more", number);
    }
    const std::string name = words.size() == 2 ? words[0] : fmt::format("client-{}", number);
    if (!names.emplace(sha256(std::string_view(words.back())), name).second) {
      return bad_input("line {}: the token is there already", number);
    }
  }
  if (names.empty()) return bad_input("no token in the file; expected lines of NAME TOKEN");
  return names;
}

Reply<std::string> Clients::identify(std::string_view authorization,
                                     const std::string& address) const {
  if (names_.empty()) return address;
  constexpr std::string_view kScheme = "Bearer ";
  if (!authorization.starts_with(kScheme)) {
    return Refusal{RefusalKind::kUnauthenticated, "a token is needed: Authorization: Bearer TOKEN"};
  }
  // Looked up by digest: how long it takes says nothing about the tokens themselves.
  const auto found = names_.find(sha256(authorization.substr(kScheme.size())));
  if (found == names_.end()) return Refusal{RefusalKind::kUnauthenticated, "unknown token"};
  return found->second;
}

Reply<Clients::Ticket> Clients::admit(const std::string& client) {
  if (limits_.requests_per_s <= 0 && limits_.concurrent <= 0) return Ticket(nullptr, "");
  const int64_t now_us = now_microseconds();
  const std::lock_guard lock(mutex_);
  if (clients_.size() >= kMaxClients) forget_quiet_ones(now_us);
  const double capacity = capacity_of(limits_);
  Client& entry = clients_.try_emplace(client, Client{full_bucket(capacity, now_us)}).first->second;
  if (limits_.concurrent > 0 && entry.under_way >= limits_.concurrent) {
    return Refusal{
        RefusalKind::kExhausted,
        fmt::format("'{}' has {} requests under way, the most allowed", client, entry.under_way)};
  }
  if (limits_.requests_per_s > 0 &&
      !take_token(entry.bucket, limits_.requests_per_s, capacity, now_us)) {
    return Refusal{RefusalKind::kExhausted, fmt::format("'{}' is over {} requests per second",
                                                        client, limits_.requests_per_s)};
  }
  ++entry.under_way;
  return Ticket(this, client);
}

Clients::Ticket::~Ticket() {
  if (clients_ == nullptr) return;
  const std::lock_guard lock(clients_->mutex_);
  --clients_->clients_.at(client_).under_way;
}

void Clients::forget_quiet_ones(int64_t now_us) {
  const double capacity = capacity_of(limits_);
  std::erase_if(clients_, [&](auto& item) {
    TokenBucket bucket = item.second.bucket;
    take_token(bucket, limits_.requests_per_s, capacity, now_us);
    return item.second.under_way == 0 &&
           (limits_.requests_per_s <= 0 || bucket.level >= capacity - 1);
  });
}

}  // namespace edgewright
