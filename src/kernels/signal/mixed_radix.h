#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace edgewright::reference {

template <class T>
struct Complex {
  T re = 0;
  T im = 0;
};

// Discrete Fourier transforms of one length, by its prime factors (decimation in frequency, as in
// Cooley and Tukey, "An Algorithm for the Machine Calculation of Complex Fourier Series", 1965).
// Computes in T; the factors of the angles are rounded from double.
template <class T>
class MixedRadix {
 public:
  // kUnsupported when the length is below 1 or has so large a prime factor that the work, which
  // grows with length times largest factor, would take minutes.
  static Result<MixedRadix> plan(int64_t length);

  // values[k] = sum over i of values[i] * exp(-2 pi i k j / length), +2 pi when inverse, without a
  // scale. `work` has room for as many values.
  void run(Complex<T>* values, Complex<T>* work, bool inverse) const;

 private:
  void pass(const Complex<T>* in, Complex<T>* out, int64_t radix, int64_t done, T sign) const;
  void butterfly(const Complex<T>* in, int64_t step, Complex<T>* out, int64_t radix, T sign) const;

  int64_t length_ = 1;
  std::vector<int64_t> factors_;    // primes, ascending
  std::vector<Complex<T>> circle_;  // exp(2 pi j k / length)
};

}  // namespace edgewright::reference
