#pragma once

#include <cstdint>

namespace edgewright::reference {

// to[i] += factor * from[i] for `count` elements. In blocks of a fixed length, which compilers turn
// into vector instructions on their own: comparisons with reference kernels are most of the time
// that a conversion takes. No element's order of additions changes.
template <class T>
void add_scaled(const T* __restrict from, T factor, int64_t count, T* __restrict to) {
  constexpr int64_t kBlock = 16;
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    for (int64_t j = 0; j < kBlock; ++j) to[i + j] += factor * from[i + j];
  }
  for (; i < count; ++i) to[i] += factor * from[i];
}

}  // namespace edgewright::reference
