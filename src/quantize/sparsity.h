#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/weight_only.h"

namespace edgewright {

// Which weights become zero: `keep` of every `block` neighbours along the inputs of a column (2 of
// 4), or a share of all, whichever are smallest.
struct SparsityPattern {
  int64_t keep = 2, block = 4;
  double share = 0;  // of zeros; above 0: unstructured, keep and block do not count
};

// Zeros weights [K, N] row-major. With moments the rows that follow make up for what is lost
// (Frantar and Alistarh, "SparseGPT", ICML 2023: the smallest w^2 / [H^-1]_kk go); without them the
// smallest magnitudes go and nothing is made up for.
std::vector<float> prune(std::span<const float> weights, int64_t rows, int64_t columns,
                         const SparsityPattern& pattern, const InputMoments* moments);

// Share of zeros.
double sparsity_of(std::span<const float> weights);

}  // namespace edgewright
