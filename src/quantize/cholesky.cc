#include "quantize/cholesky.h"

#include <cmath>
#include <utility>

namespace edgewright {
namespace {

// L with L L^T = A, in place of A's lower triangle; false when A is not positive definite.
bool factor_lower(std::vector<double>& a, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    double* row = a.data() + i * n;
    for (int64_t j = 0; j <= i; ++j) {
      const double* other = a.data() + j * n;
      double sum = row[j];
      for (int64_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (i == j) {
        if (!(sum > 0)) return false;
        row[i] = std::sqrt(sum);
      } else {
        row[j] = sum / other[j];
      }
    }
    for (int64_t j = i + 1; j < n; ++j) row[j] = 0;
  }
  return true;
}

// The inverse of a lower triangular matrix.
std::vector<double> invert_lower(const std::vector<double>& lower, int64_t n) {
  std::vector<double> inverse(lower.size());
  for (int64_t i = 0; i < n; ++i) {
    const double* row = lower.data() + i * n;
    double* target = inverse.data() + i * n;
    for (int64_t k = 0; k < i; ++k) {
      const double weight = row[k];
      const double* source = inverse.data() + k * n;
      for (int64_t j = 0; j <= k; ++j) target[j] -= weight * source[j];
    }
    for (int64_t j = 0; j < i; ++j) target[j] /= row[i];
    target[i] = 1 / row[i];
  }
  return inverse;
}

}  // namespace

std::optional<std::vector<double>> inverse_cholesky_upper(const std::vector<double>& matrix,
                                                          int64_t n, double damping) {
  if (n <= 0 || matrix.size() != static_cast<size_t>(n * n)) return std::nullopt;
  double mean = 0;
  for (int64_t i = 0; i < n; ++i) mean += matrix[static_cast<size_t>(i * n + i)];
  mean /= static_cast<double>(n);
  if (!(mean > 0)) return std::nullopt;
  // With J the matrix that reverses order, J A J = L L^T gives A^-1 = (J L^-T J)(J L^-1 J), whose
  // right factor is upper triangular: U = J L^-1 J and U^T U = A^-1.
  std::vector<double> reversed(matrix.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double damped = i == j ? damping * mean : 0;
      reversed[static_cast<size_t>((n - 1 - i) * n + (n - 1 - j))] =
          matrix[static_cast<size_t>(i * n + j)] + damped;
    }
  }
  if (!factor_lower(reversed, n)) return std::nullopt;
  const std::vector<double> inverse = invert_lower(reversed, n);
  std::vector<double> upper(matrix.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      upper[static_cast<size_t>(i * n + j)] =
          inverse[static_cast<size_t>((n - 1 - i) * n + (n - 1 - j))];
    }
  }
  return upper;
}

}  // namespace edgewright
