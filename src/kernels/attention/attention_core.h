#pragma once

#include "base/function_ref.h"
#include "kernels/reference/operand.h"

namespace edgewright::reference {

// softmax(softcap(scale * Q K^T) + bias) V, one query at a time. Query head h uses key and value
// head h / (q_heads / kv_heads). All arrays are dense: Q [batch, q_heads, queries, head],
// K [batch, kv_heads, keys, head], V [batch, kv_heads, keys, v_head].
template <class T>
struct AttentionCore {
  int64_t batch = 0;
  int64_t q_heads = 0;
  int64_t kv_heads = 0;
  int64_t queries = 0;
  int64_t keys = 0;
  int64_t head = 0;
  int64_t v_head = 0;
  const T* q = nullptr;
  const T* k = nullptr;
  const T* v = nullptr;
  double scale = 1;
  double softcap = 0;       // 0: none
  const T* sink = nullptr;  // per query head, one more term of the softmax's sum; may be null

  // Writes what is added to the `keys` scores of a query; -infinity leaves a key out, whatever
  // its score is.
  using Bias = FunctionRef<void(int64_t batch, int64_t head, int64_t query, T* row)>;

  // What the scores are after each stage of the computation, as Attention's fourth output shows.
  enum class Stage { kProduct, kCapped, kBiased, kProbability };

  // out [batch, q_heads, queries, v_head]; a query without keys gives zeros. `scores`, where not
  // null, [batch, q_heads, queries, keys] at the given stage.
  Status run(OpCall& call, Bias bias, T* out, T* scores, Stage stage) const;
};

// to [batch, heads, sequence, size] from [batch, sequence, heads * size], and back.
template <class T>
void split_heads(const T* from, int64_t batch, int64_t heads, int64_t sequence, int64_t size,
                 T* to);
template <class T>
void merge_heads(const T* from, int64_t batch, int64_t heads, int64_t sequence, int64_t size,
                 T* to);
// to [count, first + second, size] from [count, first, size] and [count, second, size].
template <class T>
void join_sequences(const T* past, int64_t first, const T* fresh, int64_t second, int64_t count,
                    int64_t size, T* to);

// Rotates the first `rotary` values of one head by the angles whose cosines and sines (rotary / 2
// of each) are given; the rest is copied. Interleaved: pairs are neighbours, else they lie half of
// `rotary` apart.
template <class T>
void rotate_head(const T* from, int64_t size, int64_t rotary, const T* cosine, const T* sine,
                 bool interleaved, T* to);

}  // namespace edgewright::reference
