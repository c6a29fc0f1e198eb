#include "split/privacy/shares.h"

#include <cmath>

#include "split/privacy/random.h"

namespace edgewright {
namespace {

Ring random_ring(size_t size) {
  Ring values(size);
  secure_words(values);
  return values;
}

// y += sign W x, all modulo 2^64.
void add_product(const Ring& matrix, const Ring& vector, Ring& result) {
  const size_t columns = vector.size();
  for (size_t row = 0; row < result.size(); ++row) {
    uint64_t sum = 0;
    for (size_t column = 0; column < columns; ++column) {
      sum += matrix[row * columns + column] * vector[column];
    }
    result[row] += sum;
  }
}

}  // namespace

Ring to_ring(std::span<const float> values, int fraction_bits) {
  Ring ring;
  ring.reserve(values.size());
  for (const float value : values) {
    const double scaled = std::ldexp(static_cast<double>(value), fraction_bits);
    ring.push_back(static_cast<uint64_t>(static_cast<int64_t>(std::llround(scaled))));
  }
  return ring;
}

std::vector<float> from_ring(const Ring& values, int fraction_bits) {
  std::vector<float> result;
  result.reserve(values.size());
  for (const uint64_t value : values) {
    const auto number = static_cast<double>(static_cast<int64_t>(value));
    result.push_back(static_cast<float>(std::ldexp(number, -fraction_bits)));
  }
  return result;
}

SharePair share(const Ring& values) {
  SharePair shares{random_ring(values.size()), {}};
  shares.second = difference(values, shares.first);
  return shares;
}

Ring reveal(const Ring& first, const Ring& second) {
  EDGEWRIGHT_CHECK(first.size() == second.size());
  Ring values(first.size());
  for (size_t i = 0; i < first.size(); ++i) values[i] = first[i] + second[i];
  return values;
}

Ring difference(const Ring& a, const Ring& b) {
  EDGEWRIGHT_CHECK(a.size() == b.size());
  Ring result(a.size());
  for (size_t i = 0; i < a.size(); ++i) result[i] = a[i] - b[i];
  return result;
}

Triple make_triple(size_t rows, size_t columns) {
  const Ring matrix = random_ring(rows * columns), vector = random_ring(columns);
  Ring product(rows, 0);
  add_product(matrix, vector, product);
  SharePair matrices = share(matrix), vectors = share(vector), products = share(product);
  return {{std::move(matrices.first), std::move(vectors.first), std::move(products.first)},
          {std::move(matrices.second), std::move(vectors.second), std::move(products.second)}};
}

MaskedOperands mask_operands(const Ring& matrix, const Ring& vector, const TripleShare& triple) {
  return {difference(matrix, triple.matrix), difference(vector, triple.vector)};
}

Ring multiply_share(const MaskedOperands& own, const MaskedOperands& other,
                    const TripleShare& triple, size_t rows, bool is_first) {
  const Ring d = reveal(own.matrix, other.matrix), e = reveal(own.vector, other.vector);
  EDGEWRIGHT_CHECK(d.size() == rows * e.size() && triple.product.size() == rows);
  // W x = (d + A)(e + B) = d e + d B + A e + A B.
  Ring result = triple.product;
  add_product(d, triple.vector, result);
  add_product(triple.matrix, e, result);
  if (is_first) add_product(d, e, result);
  return result;
}

Ring reduce_fraction(Ring share, bool is_first) {
  for (uint64_t& value : share) {
    if (is_first) {
      value >>= kFractionBits;
    } else {
      value = uint64_t{0} - ((uint64_t{0} - value) >> kFractionBits);
    }
  }
  return share;
}

}  // namespace edgewright
