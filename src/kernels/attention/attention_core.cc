#include "kernels/attention/attention_core.h"

#include <cmath>
#include <limits>

namespace edgewright::reference {
namespace {

template <class T>
T dot(const T* a, const T* b, int64_t count) {
  T sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// Turns scores into probabilities; all zero where nothing is attended.
template <class T>
void softmax_row(T* row, int64_t count, const T* sink) {
  T highest = sink != nullptr ? *sink : -std::numeric_limits<T>::infinity();
  for (int64_t j = 0; j < count; ++j) highest = std::max(highest, row[j]);
  if (highest == -std::numeric_limits<T>::infinity()) {
    std::fill_n(row, count, T{0});
    return;
  }
  T sum = sink != nullptr ? std::exp(*sink - highest) : T{0};
  for (int64_t j = 0; j < count; ++j) {
    row[j] = std::exp(row[j] - highest);
    sum += row[j];
  }
  for (int64_t j = 0; j < count; ++j) row[j] /= sum;
}

}  // namespace

template <class T>
Status AttentionCore<T>::run(OpCall& call, Bias bias, T* out, T* scores, Stage stage) const {
  EDGEWRIGHT_ASSIGN(T * row, scratch_array<T>(call, keys));
  EDGEWRIGHT_ASSIGN(T * added, scratch_array<T>(call, keys));
  const int64_t rows = batch * q_heads * queries;
  const int64_t group = q_heads / std::max<int64_t>(kv_heads, 1);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t b = r / (q_heads * queries);
    const int64_t h = r / queries % q_heads;
    const int64_t kv = b * kv_heads + h / group;
    T* shown = scores == nullptr ? nullptr : scores + r * keys;
    bias(b, h, r % queries, added);
    for (int64_t j = 0; j < keys; ++j) {
      T score = dot(q + r * head, k + (kv * keys + j) * head, head) * static_cast<T>(scale);
      if (shown != nullptr && stage == Stage::kProduct) shown[j] = score;
      if (softcap != 0) {
        score = static_cast<T>(softcap * std::tanh(static_cast<double>(score) / softcap));
      }
      if (shown != nullptr && stage == Stage::kCapped) shown[j] = score;
      const bool left_out = added[j] == -std::numeric_limits<T>::infinity();
      row[j] = left_out ? added[j] : score + added[j];
      if (shown != nullptr && stage == Stage::kBiased) shown[j] = row[j];
    }
    softmax_row(row, keys, sink == nullptr ? nullptr : sink + h);
    if (shown != nullptr && stage == Stage::kProbability) std::copy_n(row, keys, shown);
    T* to = out + r * v_head;
    std::fill_n(to, v_head, T{0});
    for (int64_t j = 0; j < keys; ++j) {
      if (row[j] == 0) continue;  // what is masked may hold anything
      const T* value = v + (kv * keys + j) * v_head;
      for (int64_t d = 0; d < v_head; ++d) to[d] += row[j] * value[d];
    }
  }
  return {};
}

template <class T>
void split_heads(const T* from, int64_t batch, int64_t heads, int64_t sequence, int64_t size,
                 T* to) {
  for (int64_t i = 0; i < batch * heads * sequence; ++i) {
    const int64_t b = i / (heads * sequence);
    const int64_t h = i / sequence % heads;
    const int64_t s = i % sequence;
    std::copy_n(from + ((b * sequence + s) * heads + h) * size, size, to + i * size);
  }
}

template <class T>
void merge_heads(const T* from, int64_t batch, int64_t heads, int64_t sequence, int64_t size,
                 T* to) {
  for (int64_t i = 0; i < batch * heads * sequence; ++i) {
    const int64_t b = i / (heads * sequence);
    const int64_t h = i / sequence % heads;
    const int64_t s = i % sequence;
    std::copy_n(from + i * size, size, to + ((b * sequence + s) * heads + h) * size);
  }
}

template <class T>
void join_sequences(const T* past, int64_t first, const T* fresh, int64_t second, int64_t count,
                    int64_t size, T* to) {
  for (int64_t i = 0; i < count; ++i) {
    T* out = to + i * (first + second) * size;
    if (first > 0) std::copy_n(past + i * first * size, first * size, out);
    std::copy_n(fresh + i * second * size, second * size, out + first * size);
  }
}

template <class T>
void rotate_head(const T* from, int64_t size, int64_t rotary, const T* cosine, const T* sine,
                 bool interleaved, T* to) {
  std::copy_n(from, size, to);
  const int64_t half = rotary / 2;
  for (int64_t i = 0; i < half; ++i) {
    const int64_t a = interleaved ? 2 * i : i;
    const int64_t b = interleaved ? 2 * i + 1 : i + half;
    to[a] = cosine[i] * from[a] - sine[i] * from[b];
    to[b] = sine[i] * from[a] + cosine[i] * from[b];
  }
}

template struct AttentionCore<float>;
template struct AttentionCore<double>;
template void split_heads(const float*, int64_t, int64_t, int64_t, int64_t, float*);
template void split_heads(const double*, int64_t, int64_t, int64_t, int64_t, double*);
template void merge_heads(const float*, int64_t, int64_t, int64_t, int64_t, float*);
template void merge_heads(const double*, int64_t, int64_t, int64_t, int64_t, double*);
template void join_sequences(const float*, int64_t, const float*, int64_t, int64_t, int64_t,
                             float*);
template void join_sequences(const double*, int64_t, const double*, int64_t, int64_t, int64_t,
                             double*);
template void rotate_head(const float*, int64_t, int64_t, const float*, const float*, bool, float*);
template void rotate_head(const double*, int64_t, int64_t, const double*, const double*, bool,
                          double*);

}  // namespace edgewright::reference
