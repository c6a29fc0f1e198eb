#include "quantize/histogram.h"

#include <algorithm>
#include <cmath>

namespace edgewright {

namespace {

struct Bounds {
  float low = 0, high = 0, check = 0;
};

// `check` is NaN when some number is NaN or infinite, else 0.
Bounds bounds_of(std::span<const float> sample) {
  // Several lanes: one chain of dependent comparisons would set the pace.
  constexpr size_t kLanes = 8;
  float low[kLanes], high[kLanes], check[kLanes];
  std::fill_n(low, kLanes, sample[0]);
  std::fill_n(high, kLanes, sample[0]);
  std::fill_n(check, kLanes, 0.0f);
  size_t i = 0;
  for (; i + kLanes <= sample.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float value = sample[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
      check[lane] += value * 0;
    }
  }
  for (; i < sample.size(); ++i) {
    low[0] = std::min(low[0], sample[i]);
    high[0] = std::max(high[0], sample[i]);
    check[0] += sample[i] * 0;
  }
  Bounds bounds{*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes), 0};
  for (const float lane : check) bounds.check += lane;
  return bounds;
}

}  // namespace

double Histogram::bin_width() const { return std::ldexp(1.0, exponent_); }

Status Histogram::add(std::span<const float> sample) {
  if (sample.empty()) return {};
  const Bounds bounds = bounds_of(sample);
  if (std::isnan(bounds.check)) {
    const auto bad = std::ranges::find_if(sample, [](float x) { return !std::isfinite(x); });
    return bad_input("element {} is {}", bad - sample.begin(), *bad);
  }
  cover(bounds.low, bounds.high);
  const auto scale = static_cast<float>(std::ldexp(1.0, -std::max(exponent_, -126)));
  const auto first_bin = static_cast<int32_t>(first_);
  uint64_t* even = counts_[0].data();
  uint64_t* odd = counts_[1].data();
  uint64_t zeros = 0;
  for (const float value : sample) {
    // Exact: the width is a power of two. Truncation is corrected to rounding downwards.
    const float steps = value * scale;
    const auto whole = static_cast<int32_t>(steps);
    const int32_t bin = whole - (steps < static_cast<float>(whole) ? 1 : 0) - first_bin;
    zeros += value == 0 ? 1 : 0;
    ++even[static_cast<size_t>(bin)];
    std::swap(even, odd);
  }
  const bool first = count_ == 0;
  min_ = first ? bounds.low : std::min(min_, static_cast<double>(bounds.low));
  max_ = first ? bounds.high : std::max(max_, static_cast<double>(bounds.high));
  smooth(bounds.low, bounds.high);
  count_ += sample.size();
  zeros_ += zeros;
  return {};
}

void Histogram::smooth(double low, double high) {
  block_min_ = samples_in_block_ == 0 ? low : std::min(block_min_, low);
  block_max_ = samples_in_block_ == 0 ? high : std::max(block_max_, high);
  if (++samples_in_block_ < kBlockSamples) return;
  const double factor = blocks_ == 0 ? 1 : factor_;
  average_min_ += factor * (block_min_ - average_min_);
  average_max_ += factor * (block_max_ - average_max_);
  ++blocks_;
  samples_in_block_ = 0;
}

// Chooses the narrowest bins, no narrower than now, with which everything so far, [low, high] and
// zero fit.
void Histogram::cover(double low, double high) {
  low = std::min({low, min_, 0.0});
  high = std::max({high, max_, 0.0});
  int exponent = std::max(exponent_, -126);
  const auto index = [&](double x) {
    return static_cast<int64_t>(std::floor(std::ldexp(x, -exponent)));
  };
  const double span = std::max(high - low, 1e-37);
  exponent = std::max(exponent, static_cast<int>(std::floor(std::log2(span / kBins))));
  while (index(high) - index(low) >= kBins) ++exponent;
  if (exponent != exponent_ || index(low) < first_ || index(high) >= first_ + kBins) {
    rebin(exponent, index(low));
  }
}

void Histogram::rebin(int exponent, int64_t first) {
  const int shift = exponent - exponent_;
  for (Counts& counts : counts_) {
    Counts moved(kBins);
    for (int bin = 0; bin < kBins; ++bin) {
      const uint64_t count = counts[static_cast<size_t>(bin)];
      if (count == 0) continue;
      // An arithmetic shift rounds towards minus infinity, as the bins of negative numbers need it.
      const int64_t index = ((first_ + bin) >> std::min(shift, 62)) - first;
      moved[static_cast<size_t>(index)] += count;
    }
    counts = std::move(moved);
  }
  exponent_ = exponent;
  first_ = first;
}

Json Histogram::to_json() const {
  Json json;
  json["count"] = count_;
  json["zeros"] = zeros_;
  json["min"] = min_;
  json["max"] = max_;
  json["average_min"] = average_min();
  json["average_max"] = average_max();
  json["exponent"] = exponent_;
  int from = 0, to = kBins;
  while (from < to && bin_count(from) == 0) ++from;
  while (to > from && bin_count(to - 1) == 0) --to;
  json["first"] = first_ + from;
  Json counts = Json::array();
  for (int bin = from; bin < to; ++bin) counts.push_back(bin_count(bin));
  json["counts"] = std::move(counts);
  return json;
}

Result<Histogram> Histogram::from_json(const Json& json) {
  for (const char* key :
       {"count", "zeros", "min", "max", "average_min", "average_max", "exponent", "first"}) {
    if (!json.contains(key) || !json[key].is_number()) return bad_input("'{}' is no number", key);
  }
  if (!json.contains("counts") || !json["counts"].is_array() || json["counts"].size() > kBins) {
    return bad_input("'counts' is no list of at most {} numbers", kBins);
  }
  Histogram result;
  result.count_ = json["count"].get<uint64_t>();
  result.zeros_ = json["zeros"].get<uint64_t>();
  result.min_ = json["min"].get<double>();
  result.max_ = json["max"].get<double>();
  result.average_min_ = json["average_min"].get<double>();
  result.average_max_ = json["average_max"].get<double>();
  result.blocks_ = 1;  // a file holds results; nothing is added to them
  result.exponent_ = json["exponent"].get<int>();
  result.first_ = json["first"].get<int64_t>();
  if (std::abs(result.exponent_) > 140 || std::abs(result.first_) > kBins) {
    return bad_input("the bins lie out of range");
  }
  size_t bin = 0;
  uint64_t total = 0;
  for (const Json& count : json["counts"]) {
    if (!count.is_number_unsigned()) return bad_input("'counts' holds something else than counts");
    total += result.counts_[0][bin++] = count.get<uint64_t>();
  }
  if (total != result.count_) {
    return bad_input("'counts' sum to {}, 'count' is {}", total, result.count_);
  }
  return result;
}

}  // namespace edgewright
