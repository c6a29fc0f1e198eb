#include "llm/energy_ledger.h"

#include <algorithm>
#include <utility>

namespace edgewright {
namespace {

// Reading a counter takes some ten microseconds: windows of this length keep that far below a
// hundredth of the time.
constexpr double kWindowS = 0.02;

double seconds_of(EnergyLedger::Clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

EnergyLedger::EnergyLedger(std::function<std::optional<double>()> meter)
    : meter_(std::move(meter)) {}

int64_t EnergyLedger::begin(std::vector<Share> shares, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const double now_s = seconds_of(now);
  if (passes_.empty()) {
    // What passed while nothing was computed shall be in a window of its own.
    if (now_s - read_s_ > kWindowS) read(now_s);
    busy_since_s_ = now_s;
  }
  for (const Share& share : shares) {
    if (share.account->begun) continue;
    share.account->begun = true;
    share.account->since_s = read_s_;
  }
  passes_[next_pass_] = {std::move(shares), now_s};
  return next_pass_++;
}

void EnergyLedger::end(int64_t pass, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const double now_s = seconds_of(now);
  credit(passes_.at(pass), now_s);
  passes_.erase(pass);
  if (passes_.empty()) busy_s_ += now_s - busy_since_s_;
  if (now_s - read_s_ > kWindowS) read(now_s);
}

void EnergyLedger::credit(Pass& pass, double now_s) {
  double rows = 0;
  for (const Share& share : pass.shares) rows += share.rows;
  for (const Share& share : pass.shares) {
    Account& account = *share.account;
    if (account.work == 0) working_.push_back(share.account);
    // Never nothing, so that nobody is in the list twice.
    account.work += std::max(1e-12, (now_s - pass.since_s) * share.rows / rows);
  }
  pass.since_s = now_s;
}

void EnergyLedger::read(double now_s) {
  const std::optional<double> joules = meter_ ? meter_() : std::nullopt;
  if (!passes_.empty()) {
    busy_s_ += now_s - busy_since_s_;
    busy_since_s_ = now_s;
  }
  for (auto& [number, pass] : passes_) credit(pass, now_s);
  const double window_s = now_s - read_s_;
  if (joules && readings_ > 0 && window_s > 0) {
    const double used_j = *joules - joules_, busy = std::min(1.0, busy_s_ / window_s);
    double work = 0;
    for (const auto& account : working_) work += account->work;
    for (const auto& account : working_) {
      account->energy.measured = true;
      account->energy.energy_j += used_j * busy * account->work / work;
      account->energy.window_s = now_s - account->since_s;
      ++account->energy.readings;
    }
    unassigned_j_ += working_.empty() ? used_j : used_j * (1 - busy);
  }
  for (const auto& account : working_) account->work = 0;
  working_.clear();
  busy_s_ = 0;
  read_s_ = now_s;
  if (joules) {
    joules_ = *joules;
    ++readings_;
  }
}

RequestEnergy EnergyLedger::settle(Account& account, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (account.work > 0) read(seconds_of(now));
  return account.energy;
}

double EnergyLedger::unassigned_j() const {
  const std::lock_guard lock(mutex_);
  return unassigned_j_;
}

}  // namespace edgewright
