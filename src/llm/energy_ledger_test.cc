#include "llm/energy_ledger.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

using Account = EnergyLedger::Account;

// Time and a meter in the test's hand.
class EnergyLedgerTest : public testing::Test {
 protected:
  EnergyLedger::Clock::time_point at(double seconds) const {
    return start_ + std::chrono::duration_cast<EnergyLedger::Clock::duration>(
                        std::chrono::duration<double>(seconds));
  }
  EnergyLedger::Clock::time_point start_ = EnergyLedger::Clock::now();
  double joules_ = 100;
  EnergyLedger ledger_{[this] { return std::optional(joules_); }};
  std::shared_ptr<Account> first_ = std::make_shared<Account>();
  std::shared_ptr<Account> second_ = std::make_shared<Account>();
};

TEST_F(EnergyLedgerTest, APassIsDividedByItsRows) {
  const int64_t pass = ledger_.begin({{first_, 3}, {second_, 1}}, at(0));
  joules_ += 8;
  ledger_.end(pass, at(1));
  const RequestEnergy first = ledger_.settle(*first_, at(1));
  EXPECT_TRUE(first.measured);
  EXPECT_NEAR(first.energy_j, 6, 1e-9);
  EXPECT_NEAR(first.window_s, 1, 1e-6);
  EXPECT_EQ(first.readings, 1);
  EXPECT_NEAR(ledger_.settle(*second_, at(1)).energy_j, 2, 1e-9);
  EXPECT_NEAR(ledger_.unassigned_j(), 0, 1e-9);
}

// What is drawn between passes is nobody's, and nothing is counted twice or lost.
TEST_F(EnergyLedgerTest, RestIsNobodys) {
  int64_t pass = ledger_.begin({{first_, 1}}, at(0));
  joules_ += 5;
  ledger_.end(pass, at(1));
  joules_ += 7;  // nine seconds of rest
  pass = ledger_.begin({{second_, 1}}, at(10));
  joules_ += 4;
  ledger_.end(pass, at(12));
  EXPECT_NEAR(ledger_.settle(*first_, at(12)).energy_j, 5, 1e-9);
  EXPECT_NEAR(ledger_.settle(*second_, at(12)).energy_j, 4, 1e-9);
  EXPECT_NEAR(ledger_.unassigned_j(), 7, 1e-9);
}

// Short passes share a window, by the time that each took; the rest between them stays out.
TEST_F(EnergyLedgerTest, PassesOfOneWindowShareByTime) {
  int64_t pass = ledger_.begin({{first_, 1}}, at(0));
  ledger_.end(pass, at(0.004));
  pass = ledger_.begin({{second_, 1}}, at(0.008));
  joules_ += 10;
  ledger_.end(pass, at(0.009));
  const double first = ledger_.settle(*first_, at(0.010)).energy_j;
  const double second = ledger_.settle(*second_, at(0.010)).energy_j;
  EXPECT_NEAR(first, 4, 1e-6);
  EXPECT_NEAR(second, 1, 1e-6);
  EXPECT_NEAR(ledger_.unassigned_j(), 5, 1e-6);
}

// Two engines at once: a reading in the middle of a pass credits what has passed of it.
TEST_F(EnergyLedgerTest, PassesAtOnceShareTheirTime) {
  const int64_t longer = ledger_.begin({{first_, 1}}, at(0));
  const int64_t shorter = ledger_.begin({{second_, 1}}, at(1));
  joules_ += 9;
  ledger_.end(shorter, at(2));
  joules_ += 3;
  ledger_.end(longer, at(3));
  const double first = ledger_.settle(*first_, at(3)).energy_j;
  const double second = ledger_.settle(*second_, at(3)).energy_j;
  EXPECT_NEAR(first, 6 + 3, 1e-9);
  EXPECT_NEAR(second, 3, 1e-9);
}

TEST_F(EnergyLedgerTest, AMeterThatCannotBeReadMeasuresNothing) {
  EnergyLedger blind([] { return std::optional<double>(); });
  const int64_t pass = blind.begin({{first_, 1}}, at(0));
  blind.end(pass, at(1));
  EXPECT_FALSE(blind.settle(*first_, at(1)).measured);
}

}  // namespace
}  // namespace edgewright
