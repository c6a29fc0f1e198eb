#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace edgewright {

// How often the numbers of a stream fall where, in memory that never grows. A bin is a power of two
// wide and begins at a multiple of its width, so the result depends neither on the order of the
// numbers nor on how they come in portions. When numbers leave the covered range, neighbouring bins
// are merged. Zero is always covered, and exact zeros are counted apart: they are no quantisation
// error, whatever the scale.
class Histogram {
 public:
  static constexpr int kBins = 8192;

  // One sample. kBadInput when a number is NaN or infinite; nothing is counted then.
  Status add(std::span<const float> sample);

  uint64_t count() const { return count_; }  // zeros included
  uint64_t zeros() const { return zeros_; }
  double min() const { return min_; }  // 0 when nothing was counted
  double max() const { return max_; }
  // The smallest and largest number x of every block of samples, smoothed over blocks:
  // m += factor (x - m) (Jacob et al., "Quantization and training of neural networks for efficient
  // integer-arithmetic-only inference", 2018, section 3.1, where the blocks are training batches).
  // The extremes of single samples would leave out those of half of the samples.
  static constexpr int kBlockSamples = 16;
  double average_min() const { return blocks_ == 0 ? block_min_ : average_min_; }
  double average_max() const { return blocks_ == 0 ? block_max_ : average_max_; }
  void set_averaging_factor(double factor) { factor_ = factor; }

  double bin_width() const;
  double bin_center(int bin) const {
    return (static_cast<double>(first_ + bin) + 0.5) * bin_width();
  }
  uint64_t bin_count(int bin) const {
    return counts_[0][static_cast<size_t>(bin)] + counts_[1][static_cast<size_t>(bin)];
  }

  Json to_json() const;
  // kBadInput naming the key when the document is not one of to_json().
  static Result<Histogram> from_json(const Json& json);

 private:
  using Counts = std::vector<uint64_t>;
  void cover(double low, double high);
  void rebin(int exponent, int64_t first);
  void smooth(double low, double high);

  int exponent_ = kLowestExponent;  // of the bin width
  int64_t first_ = 0;               // bin 0 begins at first_ * width
  uint64_t count_ = 0, zeros_ = 0;
  double min_ = 0, max_ = 0, average_min_ = 0, average_max_ = 0, factor_ = 0.01;
  double block_min_ = 0, block_max_ = 0;       // of the block that is not full yet
  int64_t blocks_ = 0, samples_in_block_ = 0;  // full blocks; samples of the one behind them
  // Two tables taken in turns: runs of equal numbers would wait for their own counter otherwise.
  std::array<Counts, 2> counts_{Counts(kBins), Counts(kBins)};

  static constexpr int kLowestExponent = -140;  // below the smallest float
};

}  // namespace edgewright
