#include "verify/distribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/element.h"

namespace edgewright {
namespace {

std::vector<double> histogram(const std::vector<double>& values, double low, double high,
                              size_t bins) {
  std::vector<double> counts(bins, 0.0);
  const double scale = high > low ? static_cast<double>(bins) / (high - low) : 0;
  for (const double value : values) {
    const auto bin = static_cast<size_t>((value - low) * scale);
    counts[std::min(bin, bins - 1)] += 1;
  }
  return counts;
}

std::vector<double> normalised(std::span<const double> weights, double floor) {
  std::vector<double> result(weights.begin(), weights.end());
  double sum = 0;
  for (double& weight : result) sum += weight;
  double total = 0;
  for (double& weight : result) total += weight = weight / sum + floor;
  for (double& weight : result) weight /= total;
  return result;
}

double relative_entropy(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] > 0) sum += p[i] * std::log(p[i] / q[i]);
  }
  return sum;
}

}  // namespace

void Moments::add(double x) {
  if (!std::isfinite(x)) return;
  const auto before = static_cast<double>(count_++);
  const auto n = static_cast<double>(count_);
  const double delta = x - mean_, step = delta / n, step2 = step * step;
  const double term = delta * step * before;
  mean_ += step;
  m4_ += term * step2 * (n * n - 3 * n + 3) + 6 * step2 * m2_ - 4 * step * m3_;
  m3_ += term * step * (n - 2) - 3 * step * m2_;
  m2_ += term;
}

double Moments::variance() const { return count_ > 0 ? m2_ / static_cast<double>(count_) : 0; }

double Moments::skewness() const {
  return m2_ > 0 ? std::sqrt(static_cast<double>(count_)) * m3_ / std::pow(m2_, 1.5) : 0;
}

double Moments::kurtosis() const {
  return m2_ > 0 ? static_cast<double>(count_) * m4_ / (m2_ * m2_) - 3 : 0;
}

void ThinnedSample::add(double x) {
  if (!std::isfinite(x)) return;
  if (seen_++ % stride_ != 0) return;
  if (values_.size() == most_) {
    for (size_t i = 0; i < most_ / 2; ++i) values_[i] = values_[2 * i];
    values_.resize(most_ / 2);
    stride_ *= 2;
    if ((seen_ - 1) % stride_ != 0) return;
  }
  values_.push_back(x);
}

void DistributionGatherer::add(const Tensor& reference, const Tensor& candidate) {
  const DType dtype = reference.dtype();
  if (dtype == DType::kString || dtype == DType::kComplex64 || dtype == DType::kComplex128) return;
  for (int64_t i = 0; i < reference.element_count(); ++i) {
    const double r = load_double(dtype, reference.bytes(), i);
    const double c = load_double(dtype, candidate.bytes(), i);
    reference_.add(r);
    candidate_.add(c);
    error_.add(c - r);
    reference_sample_.add(r);
    candidate_sample_.add(c);
    error_sample_.add(c - r);
  }
}

DistributionShift DistributionGatherer::shift() const {
  DistributionShift shift;
  shift.reference = reference_;
  shift.candidate = candidate_;
  std::vector<double> r = reference_sample_.values(), c = candidate_sample_.values();
  if (r.empty() || c.empty()) return shift;
  std::ranges::sort(r);
  std::ranges::sort(c);
  for (size_t i = 0; i < DistributionShift::kQuantiles.size(); ++i) {
    shift.reference_quantiles[i] = quantile(r, DistributionShift::kQuantiles[i]);
    shift.candidate_quantiles[i] = quantile(c, DistributionShift::kQuantiles[i]);
  }
  const double low = std::min(r.front(), c.front()), high = std::max(r.back(), c.back());
  const auto p = histogram(r, low, high, DistributionShift::kBins);
  const auto q = histogram(c, low, high, DistributionShift::kBins);
  shift.kl = kl_divergence(p, q);
  shift.js = js_divergence(p, q);
  shift.wasserstein_1 = wasserstein_1(std::move(r), std::move(c));
  return shift;
}

ErrorProfile DistributionGatherer::errors() const {
  ErrorProfile profile;
  profile.mean = error_.mean();
  profile.mean_square = error_.variance() + error_.mean() * error_.mean();
  const std::vector<double>& values = error_sample_.values();
  profile.exact = profile.mean_square == 0;
  if (values.empty() || profile.exact) return profile;
  const auto [low, high] = std::ranges::minmax(values);
  profile.low = low;
  profile.high = high;
  const auto counts = histogram(values, low, high, ErrorProfile::kBins);
  std::ranges::transform(counts, profile.histogram.begin(),
                         [](double count) { return static_cast<int64_t>(count); });
  profile.bias_share = profile.mean * profile.mean / profile.mean_square;
  const double standard_error =
      std::sqrt(error_.variance() / static_cast<double>(std::max<int64_t>(error_.count(), 1)));
  profile.systematic = profile.bias_share >= 0.1 && std::fabs(profile.mean) > 3 * standard_error;
  return profile;
}

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double wasserstein_1(std::vector<double> a, std::vector<double> b) {
  if (a.empty() || b.empty()) return 0;
  std::ranges::sort(a);
  std::ranges::sort(b);
  size_t i = 0, j = 0;
  double area = 0, at = std::min(a[0], b[0]);
  while (i < a.size() || j < b.size()) {
    const bool from_a = j == b.size() || (i < a.size() && a[i] <= b[j]);
    const double next = from_a ? a[i] : b[j];
    const double height = static_cast<double>(i) / static_cast<double>(a.size()) -
                          static_cast<double>(j) / static_cast<double>(b.size());
    area += std::fabs(height) * (next - at);
    at = next;
    (from_a ? i : j) += 1;
  }
  return area;
}

double kl_divergence(std::span<const double> p, std::span<const double> q) {
  return relative_entropy(normalised(p, 0), normalised(q, 1e-9));
}

double js_divergence(std::span<const double> p, std::span<const double> q) {
  const auto a = normalised(p, 0), b = normalised(q, 0);
  std::vector<double> middle(a.size());
  std::ranges::transform(a, b, middle.begin(), [](double x, double y) { return (x + y) / 2; });
  return (relative_entropy(a, middle) + relative_entropy(b, middle)) / 2;
}

}  // namespace edgewright
