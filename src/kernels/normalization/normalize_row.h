#pragma once

#include <cstddef>

namespace edgewright {

// One row of LayerNormalization or RMSNormalization. Omitted parts are null.
struct NormalizeRow {
  const float* in = nullptr;
  const float* skip = nullptr;   // added to the input first
  const float* extra = nullptr;  // a bias that is added to the input too
  const float* scale = nullptr;
  const float* bias = nullptr;
  float* out = nullptr;
  float* sum = nullptr;  // where input + skip + extra goes; needed when there is a skip or extra
  size_t count = 0;
  float epsilon = 1e-5f;
  bool subtract_mean = true;  // false: RMSNormalization
};
void normalize_row(const NormalizeRow& row);

// out[i] = in[i] * scale + shift, for BatchNormalization over plain channels.
void scale_shift_row(const float* in, float* out, size_t count, float scale, float shift);

}  // namespace edgewright
