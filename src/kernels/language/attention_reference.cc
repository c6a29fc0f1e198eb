#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/language/attention.h"

namespace edgewright::language {
namespace {

// One query of one head.
void attend(const AttentionShape& shape, const AttentionQueries& sequence, size_t row,
            size_t query_head) {
  const size_t size = shape.cache.head_size;
  const size_t head = query_head / (shape.query_heads / shape.cache.heads);
  const float* query = sequence.queries + row * sequence.query_step + query_head * size;
  float* output = sequence.output + row * sequence.output_step + query_head * size;
  const size_t last = sequence.first + row;
  size_t begin = sequence.begin;
  if (shape.window != 0 && last + 1 > shape.window)
    begin = std::max(begin, last + 1 - shape.window);
  std::vector<float> key(size), value(size);
  std::vector<double> sum(size);
  double maximum = -std::numeric_limits<double>::infinity(), total = 0;
  for (size_t token = begin; token <= last; ++token) {
    cache_read(shape.cache, sequence.cache, token, head, key.data(), value.data());
    double score = 0;
    for (size_t i = 0; i < size; ++i) {
      score += static_cast<double>(query[i]) * static_cast<double>(key[i]);
    }
    score *= static_cast<double>(shape.scale);
    if (shape.soft_cap != 0) {
      const auto cap = static_cast<double>(shape.soft_cap);
      score = cap * std::tanh(score / cap);
    }
    const double higher = std::max(maximum, score);
    const double shrink = std::exp(maximum - higher), weight = std::exp(score - higher);
    maximum = higher;
    total = total * shrink + weight;
    for (size_t i = 0; i < size; ++i) {
      sum[i] = sum[i] * shrink + weight * static_cast<double>(value[i]);
    }
  }
  for (size_t i = 0; i < size; ++i) output[i] = static_cast<float>(sum[i] / total);
}

}  // namespace

void attention_reference(const AttentionShape& shape, std::span<const AttentionQueries> sequences) {
  for (const AttentionQueries& sequence : sequences) {
    for (size_t row = 0; row < sequence.rows; ++row) {
      for (size_t h = 0; h < shape.query_heads; ++h) attend(shape, sequence, row, h);
    }
  }
}

}  // namespace edgewright::language
