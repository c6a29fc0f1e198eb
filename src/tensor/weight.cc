#include "tensor/weight.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace edgewright {
namespace {

constexpr EncodingShape kShapes[kWeightEncodingCount] = {
    {"F32", 1, 4},      {"F16", 1, 2},      {"BF16", 1, 2},     {"Q8_0", 32, 34},
    {"Q4_0", 32, 18},   {"Q4_1", 32, 20},   {"Q5_0", 32, 22},   {"Q5_1", 32, 24},
    {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210},
};

void put_half(uint8_t* out, float value) {
  const uint16_t bits = Half::from_float(value);
  out[0] = static_cast<uint8_t>(bits);
  out[1] = static_cast<uint8_t>(bits >> 8);
}

void encode_q8_0(const float* values, uint8_t* block) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i]));
  const float scale = largest / 127.0f;
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  put_half(block, scale);
  for (int i = 0; i < 32; ++i) {
    block[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::lround(values[i] * inverse)));
  }
}

void encode_q4_0(const float* values, uint8_t* block) {
  float extreme = 0;
  for (int i = 0; i < 32; ++i) {
    if (std::fabs(values[i]) > std::fabs(extreme)) extreme = values[i];
  }
  const float scale = extreme / -8.0f;
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  const auto code = [&](int i) {
    return static_cast<uint8_t>(std::clamp(static_cast<int>(values[i] * inverse + 8.5f), 0, 15));
  };
  put_half(block, scale);
  for (int i = 0; i < 16; ++i) block[2 + i] = static_cast<uint8_t>(code(i) | (code(i + 16) << 4));
}

}  // namespace

const EncodingShape& encoding_shape(WeightEncoding encoding) {
  return kShapes[static_cast<size_t>(encoding)];
}

int64_t encoded_bytes(WeightEncoding encoding, int64_t elements) {
  const EncodingShape& shape = encoding_shape(encoding);
  return elements / shape.block_elements * shape.block_bytes;
}

void encode_weights(WeightEncoding encoding, std::span<const float> values,
                    std::span<std::byte> bytes) {
  EDGEWRIGHT_CHECK(std::ssize(bytes) == encoded_bytes(encoding, std::ssize(values)));
  auto* out = reinterpret_cast<uint8_t*>(bytes.data());
  switch (encoding) {
    case WeightEncoding::kF32:
      if (!values.empty()) std::memcpy(out, values.data(), bytes.size());
      return;
    case WeightEncoding::kF16:
      for (size_t i = 0; i < values.size(); ++i) put_half(out + 2 * i, values[i]);
      return;
    case WeightEncoding::kBf16:
      for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t bits = Bfloat16::from_float(values[i]);
        out[2 * i] = static_cast<uint8_t>(bits);
        out[2 * i + 1] = static_cast<uint8_t>(bits >> 8);
      }
      return;
    case WeightEncoding::kQ8_0:
      for (size_t i = 0; i < values.size(); i += 32) encode_q8_0(&values[i], out + i / 32 * 34);
      return;
    case WeightEncoding::kQ4_0:
      for (size_t i = 0; i < values.size(); i += 32) encode_q4_0(&values[i], out + i / 32 * 18);
      return;
    default: EDGEWRIGHT_CHECK(false);
  }
}

int64_t StoredWeight::elements() const {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count;
}

}  // namespace edgewright
