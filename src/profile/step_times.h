#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "runtime/session.h"

namespace edgewright {

inline double microseconds(std::chrono::steady_clock::time_point from,
                           std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

struct StepTimeOptions {
  double seconds = 2;  // for all runs together; at least `min_pairs` pairs are made
  int min_pairs = 5;
  int max_pairs = 2000;
  int warmup = 2;
  Progress progress;
  // Asked now and then between runs: PaceMeter. Runs around which the machine was slower
  // than at its quickest do not count, and a slow one is waited for, at most twice `seconds`.
  std::function<double()> pace_us;
  double quick_pace_us = 0;  // what is known of its quickest; 0: what is seen here alone
};

// Times of a model's steps in microseconds, from runs with hooks that alternate with runs without,
// so that what the hooks cost is measured and not guessed. Of each kind the quieter half of the
// runs (without the quickest tenth) is averaged: averages add up, medians of parts do not. What the
// hooks add to each step is taken off, up to what two readings of the clock cost.
struct StepTimes {
  std::vector<double> step_us;
  std::vector<double> step_spread;  // (90th - 10th percentile) / mean of each step's runs
  std::vector<std::vector<float>> samples_us;  // per step, one per profiled run: for comparisons
  double wall_us = 0;                          // of a run without hooks
  double profiled_wall_us = 0;                 // of a run with hooks
  double before_us = 0;  // binding inputs and outputs, until the first step starts
  double after_us = 0;   // from the last step's end to the end of the run
  double wall_spread = 0;
  int pairs = 0;
  std::vector<double> start_us;  // of each step since the run began, averaged likewise
  std::vector<float> wall_samples_us;
  double pace_us = 0;       // the median around the profiled runs that count
  int disturbed_pairs = 0;  // left out, not in `pairs`
};

// The steps are those of session.plan() after the call.
Result<StepTimes> measure_steps(Session& session, std::span<const Datum> inputs,
                                const StepTimeOptions& options);

// Which of the runs were undisturbed, by the slower pace of the machine before and after each: it
// was not above slowest_undisturbed_us(). All where that would leave fewer than `fewest`.
std::vector<size_t> undisturbed_runs(std::span<const double> paces, size_t fewest);

// Indices of the runs between the 10th and the 50th percentile of their times, quickest first.
std::vector<size_t> quiet_runs(std::span<const double> times);

// The mean of what these indices stand for.
double mean_of(std::span<const size_t> indices, const auto& value) {
  double sum = 0;
  for (const size_t index : indices) sum += value(index);
  return sum / static_cast<double>(indices.size());
}
double mean_at(std::span<const size_t> indices, std::span<const double> values);

// What two readings of the clock after one another take, in microseconds.
double clock_pair_us();

// What one reading of the clock makes timed runs longer by, in microseconds. How much that is the
// runs without readings tell: what timed ones take beyond them. It is taken evenly, and at most for
// one pair of readings (the clock also waits for what the processor would have done beside the next
// step), so that nothing else can hide in it.
double reading_cost_us(double timed_us, double plain_us, size_t readings);

// The value at a share (0..1) of the sorted values, by rank.
double quantile(std::vector<double> values, double share);

}  // namespace edgewright
