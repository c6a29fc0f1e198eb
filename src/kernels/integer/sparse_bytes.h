#pragma once

#include <cstddef>
#include <cstdint>

namespace edgewright {

// Sums of 8-bit products with sparse weights for some positions (as SparseTile in float32). Inputs
// come in fours, which lie in planes of 32-bit words, so that the weights that an output has of
// four neighbouring inputs meet many positions in one dot product each. Fours without a weight cost
// nothing.
struct SparseBytes {
  const uint32_t* x = nullptr;        // the first position: unsigned bytes
  const uint32_t* weights = nullptr;  // signed bytes
  const int32_t* offsets = nullptr;   // of each four from the position, in words
  const uint32_t* begins = nullptr;   // outputs + 1: the fours of every output
  size_t outputs = 0;
  size_t positions = 0;     // read as whole vectors of up to 16 words
  int32_t* sums = nullptr;  // output o at [o * step]
  ptrdiff_t step = 0;
  bool add = false;  // to what the sums are already
};
void sparse_byte_sums(const SparseBytes& tile);

}  // namespace edgewright
