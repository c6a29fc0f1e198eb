#include "profile/batch_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace edgewright {

Result<BatchModel> BatchModel::fit(std::vector<BatchPoint> points) {
  std::ranges::sort(points, {}, &BatchPoint::batch);
  if (points.size() < 2 || points.front().batch < 1) {
    return usage_error("found {} batch sizes, expected at least two from 1 on", points.size());
  }
  for (size_t i = 1; i < points.size(); ++i) {
    if (points[i].batch == points[i - 1].batch) {
      return usage_error("batch size {} is there twice", points[i].batch);
    }
  }
  return BatchModel(std::move(points));
}

double BatchModel::interpolate(int64_t batch, double (*figure)(const BatchPoint&)) const {
  size_t right = 1;
  while (right + 1 < points_.size() && points_[right].batch < batch) ++right;
  const BatchPoint &a = points_[right - 1], &b = points_[right];
  const double share =
      static_cast<double>(batch - a.batch) / static_cast<double>(b.batch - a.batch);
  return figure(a) + share * (figure(b) - figure(a));
}

double BatchModel::latency_us(int64_t batch) const {
  return interpolate(batch, [](const BatchPoint& point) { return point.latency_us; });
}

int64_t BatchModel::memory_bytes(int64_t batch) const {
  return std::llround(interpolate(
      batch, [](const BatchPoint& point) { return static_cast<double>(point.memory_bytes); }));
}

double BatchModel::efficiency(int64_t batch) const {
  return static_cast<double>(batch) * latency_us(1) / latency_us(batch);
}

double BatchModel::cost(int64_t batch, const BatchGoal& goal) const {
  // Time grows with the length; a batch has that of its longest sample.
  const double time_us = latency_us(batch) / (1 - padding_share(goal.lengths, batch));
  return goal.latency_cost * time_us + goal.throughput_cost * time_us / static_cast<double>(batch);
}

int64_t BatchModel::best(const BatchGoal& goal) const {
  const int64_t end = goal.largest_batch > 0 ? goal.largest_batch : largest();
  int64_t best = 1;
  for (int64_t batch = 2; batch <= end; ++batch) {
    if (goal.memory_limit_bytes > 0 && memory_bytes(batch) > goal.memory_limit_bytes) break;
    if (cost(batch, goal) < cost(best, goal)) best = batch;
  }
  return best;
}

double padding_share(std::span<const int64_t> lengths, int64_t batch) {
  if (lengths.empty() || batch < 1) return 0;
  std::vector<int64_t> sorted(lengths.begin(), lengths.end());
  std::ranges::sort(sorted);
  const auto count = static_cast<double>(sorted.size());
  const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / count;
  // The largest is at most the i-th value with probability ((i + 1) / count)^batch.
  double largest = 0, before = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const double up_to = std::pow(static_cast<double>(i + 1) / count, static_cast<double>(batch));
    largest += static_cast<double>(sorted[i]) * (up_to - before);
    before = up_to;
  }
  return largest > 0 ? 1 - mean / largest : 0;
}

}  // namespace edgewright
