#pragma once

#include <optional>

#include "passes/pass.h"
#include "passes/pattern.h"

namespace edgewright {

// Where the heads of an attention come from: a value [batch, sequence, parts * heads * head_size],
// of whose last axis they are one part.
struct Heads {
  Value* sequence = nullptr;
  int64_t heads = 0, head_size = 0;
  int64_t part = 0, parts = 1;
};

// softmax(scale q k^T + mask) v, with q, k, v of shape [batch, heads, sequence, head_size].
struct AttentionCore {
  Value* q = nullptr;
  Value* k = nullptr;             // null when k only exists as `k_transposed`
  Value* k_transposed = nullptr;  // [batch, heads, head_size, sequence]
  Value* v = nullptr;
  double scale = 1;
  Value* mask = nullptr;  // added to the scores; null: none
  // Chooses between scores and a number too small to count; null: none.
  Value* condition = nullptr;
  Value* scores = nullptr;
};

// Reads the product with v as the root of an attention; empty when it is none.
std::optional<AttentionCore> read_attention(Node& product);

// The source of a value [batch, heads, sequence, head_size], or of k^T with `transposed`.
std::optional<Heads> read_heads(const Value* value, bool transposed);

// The Transpose and Reshape that put the heads of `product` side by side again, when nothing else
// uses it: returns the Reshape, whose output is [batch, sequence, heads * head_size]; null if
// absent.
Node* merge_of_heads(const Node& product);

// Whether the condition is true exactly on and below the diagonal of square scores.
bool is_causal(const AttentionCore& core);

}  // namespace edgewright
