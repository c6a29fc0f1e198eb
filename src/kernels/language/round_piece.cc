// Rounding of floats to integers with a scale per group.
#include <algorithm>
#include <cmath>

#include "kernels/language/packed_layout.h"
#include "tensor/half.h"

namespace edgewright::language {
namespace {

// Scales tried per group of 4-bit values, as parts of largest magnitude / 8: a smaller scale cuts
// off the largest value and rounds all others more finely.
constexpr float kShares[] = {0.80f, 0.85f, 0.90f, 0.94f, 0.97f, 1.00f, 1.04f, 1.08f, 1.143f};

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
Fit fit_scale(const float* x, size_t count, float scale) {
  float product = 0, square = 0;
  const float inverse = 1.0f / scale;
  for (size_t i = 0; i < count; ++i) {
    const float q = round_within(x[i] * inverse, -8, 7);
    product += q * x[i];
    square += q * q;
  }
  if (square == 0) return {};
  return {product / square, product * product / square};
}

// Both signs are tried, because -8 reaches further than 7.
float four_bit_scale(const float* x, size_t count) {
  const float largest = largest_magnitude(x, count);
  Fit best;
  if (largest == 0 || !std::isfinite(largest)) return 0;
  for (const float share : kShares) {
    for (const float sign : {-1.0f, 1.0f}) {
      const Fit fit = fit_scale(x, count, sign * share * largest / 8);
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
    if (type == WeightType::kQ4G128) {
      piece.wide_scale[g] = four_bit_scale(values, valid);
      round_group(values, valid, piece.wide_scale[g], -8, 7, layout.value_offset, stored);
      continue;
    }
    const bool four_bits = type == WeightType::kQ4;
    const float scale =
        four_bits ? four_bit_scale(values, valid) : largest_magnitude(values, valid) / 127;
    piece.scale[g] = Half::from_float(scale);
    round_group(values, valid, Half::to_float(piece.scale[g]), four_bits ? -8.0f : -127.0f,
                four_bits ? 7.0f : 127.0f, layout.value_offset, stored);
  }
}

}  // namespace edgewright::language
