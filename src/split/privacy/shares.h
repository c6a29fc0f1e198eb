#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace edgewright {

// Linear layers on two servers that do not talk to each other about anything but random-looking
// numbers: values are fixed-point numbers modulo 2^64, each split into two shares of which either
// alone is uniformly random (additive secret sharing; products by Beaver's triples, CRYPTO 1991).
// Values must stay below 2^(63 - 2 x kFractionBits) / terms in magnitude: 2^27 here.
using Ring = std::vector<uint64_t>;
inline constexpr int kFractionBits = 18;

Ring to_ring(std::span<const float> values, int fraction_bits = kFractionBits);
std::vector<float> from_ring(const Ring& values, int fraction_bits = kFractionBits);

struct SharePair {
  Ring first, second;
};
// Shares from the cryptographic generator.
SharePair share(const Ring& values);
// Element by element, modulo 2^64.
Ring reveal(const Ring& first, const Ring& second);
Ring difference(const Ring& a, const Ring& b);

// rows x columns times columns: what each server holds of a random A, B and A B.
struct TripleShare {
  Ring matrix, vector, product;
};
struct Triple {
  TripleShare first, second;
};
Triple make_triple(size_t rows, size_t columns);

// One server's part of y = W x with W and x shared. Round 1: both publish what these masks give;
// round 2: with both maskings, each works out its share of y alone.
struct MaskedOperands {
  Ring matrix, vector;  // share of W - A, share of x - B
};
MaskedOperands mask_operands(const Ring& matrix, const Ring& vector, const TripleShare& triple);
// `is_first`: exactly one of the two servers adds the product of the public differences. The result
// has 2 x kFractionBits; reduce_fraction brings it back with an error of one unit in the last
// place.
Ring multiply_share(const MaskedOperands& own, const MaskedOperands& other,
                    const TripleShare& triple, size_t rows, bool is_first);
// Local truncation (Mohassel and Zhang, SecureML, IEEE S&P 2017, theorem 1).
Ring reduce_fraction(Ring share, bool is_first);

}  // namespace edgewright
