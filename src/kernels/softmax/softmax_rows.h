#pragma once

#include <cstddef>

namespace edgewright {

// Softmax of `count` values side by side; out may be in. With `log` the logarithm of it.
void softmax_row(const float* in, float* out, size_t count, bool log);
// Softmax over `count` values that lie `step` floats apart, for `columns` columns side by side.
void softmax_columns(const float* in, float* out, size_t count, size_t step, size_t columns,
                     bool log);

}  // namespace edgewright
