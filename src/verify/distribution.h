#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/datum.h"

namespace edgewright {

// Count, mean and central moments of a stream of numbers, updated one at a time (Pebay 2008,
// "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order moments").
// Numbers that are not finite are left out.
class Moments {
 public:
  void add(double x);
  int64_t count() const { return count_; }
  double mean() const { return mean_; }
  double variance() const;  // of the population: divided by the count
  double skewness() const;  // m3 / m2^1.5; 0 when the variance is 0
  double kurtosis() const;  // excess: m4 / m2^2 - 3; 0 when the variance is 0

 private:
  int64_t count_ = 0;
  double mean_ = 0, m2_ = 0, m3_ = 0, m4_ = 0;
};

// Every number of a stream as long as they are few, then every second, fourth, ... one: the same
// numbers each time, and never more than `most` (an even number).
class ThinnedSample {
 public:
  explicit ThinnedSample(size_t most) : most_(most) {}
  void add(double x);
  const std::vector<double>& values() const { return values_; }
  bool complete() const { return stride_ == 1; }

 private:
  size_t most_;
  std::vector<double> values_;
  int64_t seen_ = 0, stride_ = 1;
};

// How the distribution of a value's elements moved. Divergences are in nats, of histograms with
// kBins bins over the joint range; KL is D(reference || candidate), where each bin of the
// candidate has 1e-9 added so that it stays finite. Wasserstein-1 is in units of the value.
struct DistributionShift {
  static constexpr size_t kBins = 128;
  static constexpr std::array<double, 7> kQuantiles = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
  Moments reference, candidate;
  std::array<double, 7> reference_quantiles{}, candidate_quantiles{};
  double kl = 0, js = 0, wasserstein_1 = 0;
};

// The errors candidate - reference of a value. A systematic bias moves every element the same way
// and can be corrected by a constant; random error cannot. bias_share is mean^2 / mean square; the
// verdict is bias when it is at least 0.1 and the mean is over 3 standard errors from zero.
struct ErrorProfile {
  static constexpr size_t kBins = 32;
  double low = 0, high = 0;  // range of the histogram
  std::array<int64_t, kBins> histogram{};
  double mean = 0, mean_square = 0, bias_share = 0;
  bool exact = true;  // no error at all
  bool systematic = false;
};

// Gathers both over several pairs of tensors of one shape.
class DistributionGatherer {
 public:
  // Quantiles, histograms and distances come from at most `most` elements.
  explicit DistributionGatherer(size_t most = size_t{1} << 18)
      : reference_sample_(most), candidate_sample_(most), error_sample_(most) {}
  void add(const Tensor& reference, const Tensor& candidate);
  DistributionShift shift() const;
  ErrorProfile errors() const;

 private:
  Moments reference_, candidate_, error_;
  ThinnedSample reference_sample_, candidate_sample_, error_sample_;
};

// Quantile q of sorted values by linear interpolation (Hyndman and Fan 1996, type 7).
double quantile(const std::vector<double>& sorted, double q);
// Wasserstein-1 distance of two samples: the area between their empirical distribution functions.
double wasserstein_1(std::vector<double> a, std::vector<double> b);
// KL and Jensen-Shannon divergence of two histograms of any scale, in nats.
double kl_divergence(std::span<const double> p, std::span<const double> q);
double js_divergence(std::span<const double> p, std::span<const double> q);

}  // namespace edgewright
