#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace edgewright {

// For a symmetric positive semi-definite matrix M [n, n] and D = damping x mean diagonal: the upper
// triangular U with U^T U = (M + D I)^-1, row-major; rows and columns of M that are zero count as
// D. Empty when M is not positive semi-definite or holds no number above zero.
std::optional<std::vector<double>> inverse_cholesky_upper(const std::vector<double>& matrix,
                                                          int64_t n, double damping);

}  // namespace edgewright
