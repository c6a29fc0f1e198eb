#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "llm/request.h"

namespace edgewright {

// Divides the energy that a meter counts among requests. Between two readings lies a window: what
// of it no pass over the weights filled is nobody's, the rest goes to the requests by the rows of
// their passes times what those took. Thread-safe; engines that share a machine share a ledger.
class EnergyLedger {
 public:
  using Clock = std::chrono::steady_clock;
  struct Account {
    RequestEnergy energy;
    double work = 0;     // row-seconds of the window that is open
    double since_s = 0;  // reading before its first pass
    bool begun = false;
  };
  struct Share {
    std::shared_ptr<Account> account;
    double rows = 1;
  };

  // Joules since some beginning; none where nothing can be read.
  explicit EnergyLedger(std::function<std::optional<double>()> meter);

  // Around every pass over the weights: for whom it is, and the number that ends it.
  int64_t begin(std::vector<Share> shares, Clock::time_point now = Clock::now());
  void end(int64_t pass, Clock::time_point now = Clock::now());
  // What an account has come to, its open window included.
  RequestEnergy settle(Account& account, Clock::time_point now = Clock::now());
  // Of windows, or parts of them, without any pass.
  double unassigned_j() const;

 private:
  struct Pass {
    std::vector<Share> shares;
    double since_s = 0;
  };
  void credit(Pass& pass, double now_s);
  void read(double now_s);

  const std::function<std::optional<double>()> meter_;
  mutable std::mutex mutex_;
  std::map<int64_t, Pass> passes_;                 // under way
  std::vector<std::shared_ptr<Account>> working_;  // in the open window
  int64_t next_pass_ = 0, readings_ = 0;
  double busy_since_s_ = 0, busy_s_ = 0;  // of the open window
  double read_s_ = -1, joules_ = 0, unassigned_j_ = 0;
};

}  // namespace edgewright
