#include "kernels/signal/mixed_radix.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edgewright::reference {
namespace {

// Length times largest prime factor; a few seconds of work.
constexpr int64_t kMostWork = int64_t{1} << 30;
constexpr int64_t kLongest = int64_t{1} << 26;

std::vector<int64_t> prime_factors(int64_t n) {
  std::vector<int64_t> factors;
  for (int64_t p = 2; p * p <= n; ++p) {
    for (; n % p == 0; n /= p) factors.push_back(p);
  }
  if (n > 1) factors.push_back(n);
  return factors;
}

template <class T>
Complex<T> add(Complex<T> a, Complex<T> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T>
Complex<T> sub(Complex<T> a, Complex<T> b) {
  return {a.re - b.re, a.im - b.im};
}

}  // namespace

template <class T>
Result<MixedRadix<T>> MixedRadix<T>::plan(int64_t length) {
  if (length < 1 || length > kLongest) {
    return unsupported("a Fourier transform of length {}, expected 1 to {}", length, kLongest);
  }
  MixedRadix made;
  made.length_ = length;
  made.factors_ = prime_factors(length);
  const int64_t largest = made.factors_.empty() ? 1 : made.factors_.back();
  if (length * largest > kMostWork) {
    return unsupported("a Fourier transform of length {} with the prime factor {} is too slow",
                       length, largest);
  }
  for (int64_t k = 0; k < length; ++k) {
    const double angle =
        2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(length);
    made.circle_.push_back({static_cast<T>(std::cos(angle)), static_cast<T>(std::sin(angle))});
  }
  return made;
}

// Inputs j and radix - j meet in sums and differences, so that each cosine and sine serves two
// outputs.
template <class T>
void MixedRadix<T>::butterfly(const Complex<T>* in, int64_t step, Complex<T>* out, int64_t radix,
                              T sign) const {
  if (radix == 2) {
    out[0] = add(in[0], in[step]);
    out[1] = sub(in[0], in[step]);
    return;
  }
  const int64_t turn = length_ / radix;
  out[0] = in[0];
  for (int64_t j = 1; j <= radix / 2; ++j) {
    out[0] = add(out[0], add(in[j * step], in[(radix - j) * step]));
  }
  for (int64_t u = 1; u <= radix / 2; ++u) {
    Complex<T> even = in[0];
    Complex<T> odd;
    for (int64_t j = 1; j <= radix / 2; ++j) {
      const Complex<T> sum = add(in[j * step], in[(radix - j) * step]);
      const Complex<T> difference = sub(in[j * step], in[(radix - j) * step]);
      const Complex<T> unit = circle_[static_cast<size_t>(u * j % radix * turn)];
      even = {even.re + unit.re * sum.re, even.im + unit.re * sum.im};
      odd = {odd.re - unit.im * difference.im, odd.im + unit.im * difference.re};
    }
    odd = {sign * odd.re, sign * odd.im};
    out[u] = add(even, odd);
    out[radix - u] = sub(even, odd);
  }
}

// One factor of the length: `done` is the product of the factors before it.
template <class T>
void MixedRadix<T>::pass(const Complex<T>* in, Complex<T>* out, int64_t radix, int64_t done,
                         T sign) const {
  const int64_t rest = length_ / (radix * done);
  std::vector<Complex<T>> made(static_cast<size_t>(radix));
  for (int64_t block = 0; block < done; ++block) {
    for (int64_t i = 0; i < rest; ++i) {
      butterfly(in + i + rest * radix * block, rest, made.data(), radix, sign);
      for (int64_t u = 0; u < radix; ++u) {
        const Complex<T> value = made[static_cast<size_t>(u)];
        const Complex<T> unit = circle_[static_cast<size_t>(u * i * done)];
        const T im = sign * unit.im;
        out[i + rest * (block + done * u)] = {value.re * unit.re - value.im * im,
                                              value.re * im + value.im * unit.re};
      }
    }
  }
}

template <class T>
void MixedRadix<T>::run(Complex<T>* values, Complex<T>* work, bool inverse) const {
  const T sign = inverse ? T{1} : T{-1};
  const Complex<T>* in = values;
  Complex<T>* out = work;
  int64_t done = 1;
  for (const int64_t radix : factors_) {
    pass(in, out, radix, done, sign);
    done *= radix;
    in = out;
    out = out == work ? values : work;
  }
  if (in != values) std::copy(in, in + length_, values);
}

template class MixedRadix<float>;
template class MixedRadix<double>;

}  // namespace edgewright::reference
