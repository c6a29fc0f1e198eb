#include "tensor/element.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/half.h"

namespace edgewright {
namespace {

struct Format {
  int mantissa_bits;
  int bias;
  bool infinity;       // the highest exponent holds infinity and NaN, as in IEEE 754
  bool negative_zero;  // false: the pattern 0x80 is the only NaN
  uint8_t largest;     // bit pattern of the largest finite value
};

Format format_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat8E4M3FN: return {3, 7, false, true, 0x7e};
    case DType::kFloat8E4M3FNUZ: return {3, 8, false, false, 0x7f};
    case DType::kFloat8E5M2: return {2, 15, true, true, 0x7b};
    default: return {2, 16, false, false, 0x7f};
  }
}

template <class T>
T load(const void* data, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(data) + index * static_cast<int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

int sign_extend(uint8_t value, int bits) {
  return (value & (1 << (bits - 1))) != 0 ? value - (1 << bits) : value;
}

float magnitude_to_float(const Format& format, int magnitude) {
  const int mantissa = magnitude & ((1 << format.mantissa_bits) - 1);
  const int exponent = magnitude >> format.mantissa_bits;
  const int hidden = exponent == 0 ? 0 : 1 << format.mantissa_bits;
  return std::ldexp(static_cast<float>(hidden + mantissa),
                    std::max(exponent, 1) - format.bias - format.mantissa_bits);
}

}  // namespace

float float8_to_float(DType dtype, uint8_t bits) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  if (dtype == DType::kFloat8E8M0) return bits == 0xff ? kNan : std::ldexp(1.0f, bits - 127);
  const Format format = format_of(dtype);
  const int magnitude = bits & 0x7f;
  const bool negative = (bits & 0x80) != 0;
  if (!format.negative_zero && bits == 0x80) return kNan;
  if (magnitude > format.largest) {
    if (format.infinity && magnitude == 0x7c) {
      return negative ? -std::numeric_limits<float>::infinity()
                      : std::numeric_limits<float>::infinity();
    }
    return kNan;
  }
  const float value = magnitude_to_float(format, magnitude);
  return negative ? -value : value;
}

uint8_t float_to_float8(DType dtype, float value, bool saturate) {
  if (dtype == DType::kFloat8E8M0) return float_to_e8m0(value, saturate, E8M0Rounding::kUp);
  const Format format = format_of(dtype);
  const auto sign = static_cast<uint8_t>(std::signbit(value) ? 0x80 : 0);
  const uint8_t nan = format.negative_zero ? static_cast<uint8_t>(sign | 0x7f) : 0x80;
  if (std::isnan(value)) return nan;
  const uint8_t overflow = format.infinity ? static_cast<uint8_t>(sign | 0x7c) : nan;
  const float magnitude = std::fabs(value);
  if (std::isinf(value)) return saturate ? sign | format.largest : overflow;
  // In units of the last place the nearest representable number is an integer.
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int lowest = 1 - format.bias;
  const int scale = std::max(exponent - 1, lowest) - format.mantissa_bits;
  const float units = std::nearbyint(std::ldexp(magnitude, -scale));
  const float rounded = std::ldexp(units, scale);
  const float largest = magnitude_to_float(format, format.largest);
  if (rounded > largest) return saturate ? sign | format.largest : overflow;
  if (rounded == 0) return format.negative_zero ? sign : 0;
  const int first = std::max(exponent - 1, lowest);
  int pattern = static_cast<int>(units);
  const int hidden = 1 << format.mantissa_bits;
  if (pattern >= hidden) pattern += (first + format.bias - 1) * hidden;
  return static_cast<uint8_t>(sign | pattern);
}

uint8_t float_to_e8m0(float value, bool saturate, E8M0Rounding rounding) {
  if (std::isnan(value)) return 0xff;
  const float magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return saturate ? 0xfe : 0xff;
  if (magnitude == 0) return 0;
  int exponent = 0;
  const float fraction = std::frexp(magnitude, &exponent);  // in [0.5, 1)
  int power = exponent - 1;
  const bool up = rounding == E8M0Rounding::kUp        ? fraction > 0.5f
                  : rounding == E8M0Rounding::kNearest ? fraction >= 0.75f
                                                       : false;
  if (up) ++power;
  const int biased = power + 127;
  if (biased > 0xfe) return saturate ? 0xfe : 0xff;
  return static_cast<uint8_t>(std::max(biased, 0));
}

float float4_to_float(uint8_t bits) {
  constexpr float kValues[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  const float magnitude = kValues[bits & 7];
  return (bits & 8) != 0 ? -magnitude : magnitude;
}

uint8_t float_to_float4(float value) {
  const uint8_t sign = std::signbit(value) ? 8 : 0;
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return 8;  // the type has no NaN: the backend suite expects -0
  uint8_t best = 0;
  for (uint8_t candidate = 1; candidate < 8; ++candidate) {
    const float now = std::fabs(float4_to_float(candidate) - magnitude);
    const float before = std::fabs(float4_to_float(best) - magnitude);
    if (now < before || (now == before && candidate % 2 == 0)) best = candidate;
  }
  if (std::isinf(value)) best = 7;
  return sign | best;
}

uint8_t packed_get(const void* data, int64_t index, int bits) {
  const int per_byte = 8 / bits;
  const auto byte = static_cast<const uint8_t*>(data)[index / per_byte];
  return static_cast<uint8_t>((byte >> (index % per_byte * bits)) & ((1 << bits) - 1));
}

void packed_set(void* data, int64_t index, int bits, uint8_t value) {
  const int per_byte = 8 / bits;
  auto& byte = static_cast<uint8_t*>(data)[index / per_byte];
  const int shift = static_cast<int>(index % per_byte) * bits;
  const int mask = (1 << bits) - 1;
  byte = static_cast<uint8_t>((byte & ~(mask << shift)) | ((value & mask) << shift));
}

double load_double(DType dtype, const void* data, int64_t index) {
  switch (dtype) {
    case DType::kFloat32: return load<float>(data, index);
    case DType::kFloat64: return load<double>(data, index);
    case DType::kFloat16: return Half::to_float(load<uint16_t>(data, index));
    case DType::kBfloat16: return static_cast<float>(load<Bfloat16>(data, index));
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2FNUZ:
    case DType::kFloat8E8M0: return float8_to_float(dtype, load<uint8_t>(data, index));
    case DType::kFloat4E2M1: return float4_to_float(packed_get(data, index, 4));
    case DType::kUint64: return static_cast<double>(load<uint64_t>(data, index));
    default: return static_cast<double>(load_int64(dtype, data, index));
  }
}

int64_t load_int64(DType dtype, const void* data, int64_t index) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUint8: return load<uint8_t>(data, index);
    case DType::kInt8: return load<int8_t>(data, index);
    case DType::kUint16: return load<uint16_t>(data, index);
    case DType::kInt16: return load<int16_t>(data, index);
    case DType::kUint32: return load<uint32_t>(data, index);
    case DType::kInt32: return load<int32_t>(data, index);
    case DType::kUint64:
    case DType::kInt64: return load<int64_t>(data, index);
    case DType::kUint4: return packed_get(data, index, 4);
    case DType::kInt4: return sign_extend(packed_get(data, index, 4), 4);
    case DType::kUint2: return packed_get(data, index, 2);
    case DType::kInt2: return sign_extend(packed_get(data, index, 2), 2);
    default: return 0;
  }
}

}  // namespace edgewright
