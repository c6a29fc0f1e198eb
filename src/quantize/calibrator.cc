#include "quantize/calibrator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace edgewright {
namespace {

ValueRange min_max(const Histogram& seen, const Scheme&, const CalibratorOptions&) {
  return {seen.min(), seen.max()};
}

ValueRange moving_average(const Histogram& seen, const Scheme&, const CalibratorOptions&) {
  return {seen.average_min(), seen.average_max()};
}

ValueRange within_seen(ValueRange range, const Histogram& seen) {
  return {std::max(range.low, seen.min()), std::min(range.high, seen.max())};
}

// Half of what is left out lies below the range, half above.
ValueRange percentile(const Histogram& seen, const Scheme&, const CalibratorOptions& options) {
  const double share = (1 - options.percentile / 100) / 2;
  const auto allowed = static_cast<uint64_t>(share * static_cast<double>(seen.count()));
  const double half = seen.bin_width() / 2;
  ValueRange range{seen.min(), seen.max()};
  uint64_t left_out = 0;
  for (int bin = 0; bin < Histogram::kBins; ++bin) {
    left_out += seen.bin_count(bin);
    if (left_out <= allowed) continue;
    range.low = seen.bin_center(bin) - half;
    break;
  }
  left_out = 0;
  for (int bin = Histogram::kBins - 1; bin >= 0; --bin) {
    left_out += seen.bin_count(bin);
    if (left_out <= allowed) continue;
    range.high = seen.bin_center(bin) + half;
    break;
  }
  return within_seen(range, seen);
}

// Magnitudes in 2,048 bins over [0, largest magnitude], zeros left out: they are exact under every
// scale and would hide the rest.
std::vector<double> magnitudes(const Histogram& seen, double largest) {
  constexpr int kMagnitudeBins = 2048;
  std::vector<double> result(kMagnitudeBins);
  const double width = largest / kMagnitudeBins;
  for (int bin = 0; bin < Histogram::kBins; ++bin) {
    auto count = static_cast<double>(seen.bin_count(bin));
    const double center = seen.bin_center(bin);
    // Zero falls into the bin that begins there.
    if (center > 0 && center < seen.bin_width()) count -= static_cast<double>(seen.zeros());
    const auto index = static_cast<int>(std::abs(center) / width);
    result[static_cast<size_t>(std::min(index, kMagnitudeBins - 1))] += count;
  }
  return result;
}

double times_log(double x) { return x > 0 ? x * std::log(x) : 0; }

// Sums over the first n bins, for every n.
struct PrefixSums {
  std::vector<double> count{0}, filled{0}, entropy{0};
  explicit PrefixSums(const std::vector<double>& bins) {
    for (const double bin : bins) {
      count.push_back(count.back() + bin);
      filled.push_back(filled.back() + (bin > 0 ? 1 : 0));
      entropy.push_back(entropy.back() + times_log(bin));
    }
  }
};

// KL divergence of the first `end` bins, what lies beyond added to the last one, from the same bins
// merged into `levels` and spread evenly over the filled ones (Migacz, "8-bit inference with
// TensorRT", GTC 2017). Sum p log(p/q) is split into prefix sums so that one end costs O(levels).
double divergence(const std::vector<double>& bins, const PrefixSums& sums, size_t end,
                  size_t levels) {
  const double inside = sums.count[end];
  const double total = sums.count.back();
  if (inside <= 0) return std::numeric_limits<double>::infinity();
  const double clipped = total - inside;
  const double last = bins[end - 1];
  double cross = 0;  // sum of p log q over the bins, both not normalised
  for (size_t level = 0; level < levels; ++level) {
    const size_t from = level * end / levels, to = (level + 1) * end / levels;
    const double count = sums.count[to] - sums.count[from];
    const double filled = sums.filled[to] - sums.filled[from];
    const bool has_last = level + 1 == levels;
    if (count > 0) cross += (count + (has_last ? clipped : 0)) * std::log(count / filled);
    // Numbers beyond the end in a level that is empty otherwise: as if it held a tiny part.
    if (count <= 0 && has_last && clipped > 0) cross += clipped * std::log(inside * 1e-9);
  }
  const double entropy = sums.entropy[end] - times_log(last) + times_log(last + clipped);
  return entropy / total - std::log(total) - (cross / total - std::log(inside));
}

ValueRange entropy(const Histogram& seen, const Scheme& scheme, const CalibratorOptions&) {
  const double largest = std::max(-seen.min(), seen.max());
  if (largest <= 0) return {0, 0};
  const std::vector<double> bins = magnitudes(seen, largest);
  const PrefixSums sums(bins);
  // A range of one sign has all levels for the magnitudes, one of both signs half of them.
  const bool one_sign = (seen.min() >= 0 || seen.max() <= 0) && !scheme.symmetric;
  const size_t levels = one_sign ? 255 : 128;
  size_t best = bins.size();
  double least = divergence(bins, sums, best, levels);
  for (size_t end = levels; end < bins.size(); end += 4) {
    const double value = divergence(bins, sums, end, levels);
    if (value < least) {
      least = value;
      best = end;
    }
  }
  const double bound = largest * static_cast<double>(best) / static_cast<double>(bins.size());
  return within_seen({-bound, bound}, seen);
}

// Shrinks each side in turn to where the squared error is least.
ValueRange mean_squared_error(const Histogram& seen, const Scheme& scheme,
                              const CalibratorOptions&) {
  const ValueRange whole{seen.min(), seen.max()};
  ValueRange best = whole;
  double least = squared_error(seen, activation_params(best, scheme));
  const auto try_range = [&](ValueRange candidate) {
    const double error = squared_error(seen, activation_params(candidate, scheme));
    if (error >= least) return;
    least = error;
    best = candidate;
  };
  for (int round = 0; round < 2; ++round) {
    for (int percent = 99; percent >= 20; --percent) {
      try_range({best.low, whole.high * percent / 100});
    }
    if (whole.low >= 0) break;
    for (int percent = 99; percent >= 20; --percent) {
      try_range({whole.low * percent / 100, best.high});
    }
  }
  return best;
}

constexpr Calibrator kCalibrators[] = {
    {"min-max", "the smallest and largest number seen", min_max},
    {"moving-average", "those of blocks of samples, smoothed", moving_average},
    {"percentile", "leaves out the rarest numbers at both ends", percentile},
    {"entropy", "least Kullback-Leibler divergence of the rounded distribution", entropy},
    {"mse", "least squared rounding error", mean_squared_error},
};

}  // namespace

std::span<const Calibrator> calibrators() { return kCalibrators; }

const Calibrator* find_calibrator(std::string_view name) {
  const auto it = std::ranges::find(kCalibrators, name, &Calibrator::name);
  return it == std::end(kCalibrators) ? nullptr : it;
}

double squared_error(const Histogram& seen, const QuantParams& params) {
  // Adding and taking away 1.5 * 2^52 rounds a double of moderate size to the nearest integer.
  constexpr double kRound = 6755399441055744.0;
  const double inverse = 1.0 / params.scale;
  const double low = params.low - params.zero_point, high = params.high - params.zero_point;
  const double width = seen.bin_width();
  double sum = 0;
  for (int bin = 0; bin < Histogram::kBins; ++bin) {
    auto count = static_cast<double>(seen.bin_count(bin));
    if (count == 0) continue;
    const double center = seen.bin_center(bin);
    if (center > 0 && center < width) count -= static_cast<double>(seen.zeros());
    const double steps = std::clamp(center * inverse + kRound - kRound, low, high);
    const double error = center - steps * params.scale;
    sum += count * error * error;
  }
  return sum;
}

}  // namespace edgewright
