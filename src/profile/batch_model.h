#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace edgewright {

struct BatchPoint {
  int64_t batch = 1;
  double latency_us = 0;
  int64_t memory_bytes = 0;  // of the arena; 0: not known
};

struct BatchGoal {
  // Cost of a batch: latency_cost x its time + throughput_cost x its time per sample, both as much
  // longer as padding makes the samples.
  double latency_cost = 0, throughput_cost = 1;
  int64_t largest_batch = 0;       // 0: the largest measured one
  int64_t memory_limit_bytes = 0;  // of a batch's values; 0: none
  std::vector<int64_t> lengths;    // of the samples, above zero; empty: all are as long
};

// Latency over the batch size from a few measured sizes: straight lines between them, which is what
// a fixed cost and a cost per sample make as long as the caches that serve it stay the same.
class BatchModel {
 public:
  // At least two sizes, ascending; kUsage otherwise.
  static Result<BatchModel> fit(std::vector<BatchPoint> points);

  int64_t largest() const { return points_.back().batch; }
  double latency_us(int64_t batch) const;
  int64_t memory_bytes(int64_t batch) const;
  // Samples per second against those of batch 1: `batch` where more samples cost nothing, 1 where
  // each costs as much as the first.
  double efficiency(int64_t batch) const;
  double cost(int64_t batch, const BatchGoal& goal) const;
  // The cheapest batch that the memory limit allows; 1 when none does.
  int64_t best(const BatchGoal& goal) const;

 private:
  explicit BatchModel(std::vector<BatchPoint> points) : points_(std::move(points)) {}
  double interpolate(int64_t batch, double (*figure)(const BatchPoint&)) const;

  std::vector<BatchPoint> points_;
};

// The share of a padded batch that is padding when `batch` lengths are drawn from these: every
// sample is padded to the longest. Exact: the expected largest of `batch` draws with replacement.
double padding_share(std::span<const int64_t> lengths, int64_t batch);

}  // namespace edgewright
