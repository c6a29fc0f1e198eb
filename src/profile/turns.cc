#include "profile/turns.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "profile/step_times.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// The polish of a table of tens of cells stands still before.
constexpr int kSweeps = 20;

}  // namespace

size_t Turns::add(Run run) {
  runs_.push_back(std::move(run));
  return runs_.size() - 1;
}

Result<double> Turns::slice_us(const Run& run) const {
  EDGEWRIGHT_TRY(run());
  std::vector<double> times;
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    EDGEWRIGHT_TRY(run());
    times.push_back(microseconds(start, Clock::now()));
  } while (microseconds(begin, Clock::now()) < slice_s_ * 1e6);
  return mean_at(quiet_runs(times), times);
}

Status Turns::run_rounds(double seconds_each, int least) {
  const auto begin = Clock::now();
  const double wanted_us = seconds_each * 1e6 * static_cast<double>(runs_.size());
  for (int i = 0; i < least || microseconds(begin, Clock::now()) < wanted_us; ++i) {
    const bool backwards = rounds_.size() % 2 == 1;
    std::vector<double> times(runs_.size());
    for (size_t turn = 0; turn < runs_.size(); ++turn) {
      const size_t which = backwards ? runs_.size() - 1 - turn : turn;
      EDGEWRIGHT_ASSIGN(times[which], slice_us(runs_[which]));
    }
    rounds_.push_back(std::move(times));
  }
  return {};
}

namespace {

// A column's own time in these rows, with the rows' paces taken off: logarithms.
double own_in(std::span<const std::vector<double>> rounds, std::span<const size_t> rows,
              size_t column, std::span<const double> pace) {
  std::vector<double> rest;
  rest.reserve(rows.size());
  for (const size_t row : rows) rest.push_back(std::log(rounds[row][column]) - pace[row]);
  return quantile(std::move(rest), 0.5);
}

std::vector<size_t> rows_with(std::span<const std::vector<double>> rounds, size_t column) {
  std::vector<size_t> rows;
  for (size_t row = 0; row < rounds.size(); ++row) {
    if (column < rounds[row].size()) rows.push_back(row);
  }
  return rows;
}

}  // namespace

std::vector<double> without_pace(std::span<const std::vector<double>> rounds) {
  if (rounds.empty()) return {};
  const size_t columns = rounds.back().size();
  std::vector<double> pace(rounds.size(), 0), own(columns, 0);  // logarithms
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t column = 0; column < columns; ++column) {
      own[column] = own_in(rounds, rows_with(rounds, column), column, pace);
    }
    for (size_t row = 0; row < rounds.size(); ++row) {
      std::vector<double> rest;
      rest.reserve(rounds[row].size());
      for (size_t column = 0; column < rounds[row].size(); ++column) {
        rest.push_back(std::log(rounds[row][column]) - own[column]);
      }
      pace[row] = quantile(std::move(rest), 0.5);
    }
  }
  const double middle = quantile(pace, 0.5);
  for (size_t column = 0; column < columns; ++column) {
    std::vector<size_t> rows = rows_with(rounds, column);
    std::ranges::sort(rows, {}, [&](size_t row) { return pace[row]; });
    rows.resize((rows.size() + 1) / 2);
    own[column] = std::exp(own_in(rounds, rows, column, pace) + middle);
  }
  return own;
}

std::vector<double> Turns::typical_us() const { return without_pace(rounds_); }

}  // namespace edgewright
