#pragma once

#include <cstddef>

namespace edgewright {

// Softmax of each of `rows` rows of `count` values that follow each other; out may be in. With
// `log` the logarithm of it.
void softmax_rows(const float* in, float* out, size_t rows, size_t count, bool log);
// Softmax over `count` values that lie `step` floats apart, for `columns` columns side by side.
void softmax_columns(const float* in, float* out, size_t count, size_t step, size_t columns,
                     bool log);

}  // namespace edgewright
