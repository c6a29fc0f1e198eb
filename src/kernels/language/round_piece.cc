// Rounding of floats to integers with a scale per group.
#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/language/packed_layout.h"
#include "tensor/half.h"

namespace edgewright::language {
namespace {

// Integers from -most_negative to most_negative - 1, and the scales tried per group of them, as
// parts of largest magnitude / most_negative: a smaller scale cuts off the largest value and rounds
// all others more finely.
struct Range {
  float most_negative;
  std::span<const float> shares;
};
constexpr float kFourBitShares[] = {0.80f, 0.85f, 0.90f, 0.94f, 0.97f, 1.00f, 1.04f, 1.08f, 1.143f};
constexpr float kSixBitShares[] = {0.94f, 0.96f, 0.98f, 1.00f, 1.016f, 1.033f};
constexpr Range kFourBits = {8, kFourBitShares};
constexpr Range kSixBits = {32, kSixBitShares};

float round_within(float x, float low, float high) {
  return std::clamp(std::nearbyint(x), low, high);
}

float largest_magnitude(const float* x, size_t count) {
  float largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  return largest;
}

struct Fit {
  float scale = 0;
  float gain = 0;  // squared error that the fit takes away
};
// The integers that a scale rounds to are kept and the scale is moved to their least squared error.
Fit fit_scale(const float* x, size_t count, float scale, const Range& range) {
  float product = 0, square = 0;
  const float inverse = 1.0f / scale;
  for (size_t i = 0; i < count; ++i) {
    const float q = round_within(x[i] * inverse, -range.most_negative, range.most_negative - 1);
    product += q * x[i];
    square += q * q;
  }
  if (square == 0) return {};
  return {product / square, product * product / square};
}

// Both signs are tried, because -8 reaches further than 7.
float best_scale(const float* x, size_t count, const Range& range) {
  const float largest = largest_magnitude(x, count);
  Fit best;
  if (largest == 0 || !std::isfinite(largest)) return 0;
  for (const float share : range.shares) {
    for (const float sign : {-1.0f, 1.0f}) {
      const Fit fit = fit_scale(x, count, sign * share * largest / range.most_negative, range);
      if (fit.gain > best.gain) best = fit;
    }
  }
  return best.scale;
}

void round_group(const float* x, size_t count, float scale, float low, float high, int offset,
                 uint8_t* value) {
  const float inverse = scale == 0 ? 0 : 1 / scale;
  for (size_t i = 0; i < count; ++i) {
    value[i] =
        static_cast<uint8_t>(static_cast<int>(round_within(x[i] * inverse, low, high)) + offset);
  }
}

}  // namespace

void round_piece(WeightType type, const float* x, size_t count, QuantPiece& piece) {
  const WeightLayout& layout = layout_of(type);
  for (size_t g = 0; g * layout.group < count; ++g) {
    const float* values = x + g * layout.group;
    const size_t valid = std::min(layout.group, count - g * layout.group);
    uint8_t* stored = piece.value + g * layout.group;
    if (type == WeightType::kQ8) {
      piece.scale[g] = Half::from_float(largest_magnitude(values, valid) / 127);
      round_group(values, valid, Half::to_float(piece.scale[g]), -127, 127, layout.value_offset,
                  stored);
      continue;
    }
    const Range& range = type == WeightType::kQ6 ? kSixBits : kFourBits;
    float scale = best_scale(values, valid, range);
    if (type == WeightType::kQ4G128) {
      piece.wide_scale[g] = scale;
    } else {
      piece.scale[g] = Half::from_float(scale);
      scale = Half::to_float(piece.scale[g]);
    }
    round_group(values, valid, scale, -range.most_negative, range.most_negative - 1,
                layout.value_offset, stored);
  }
}

}  // namespace edgewright::language
