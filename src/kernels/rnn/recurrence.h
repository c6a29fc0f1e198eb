#pragma once

#include "kernels/contrib/activation.h"
#include "kernels/reference/operand.h"

namespace edgewright::reference {

// What RNN, GRU and LSTM share. Weights of one direction: W [gates * hidden, input],
// R [gates * hidden, hidden], B [2 * gates * hidden] (for W, then for R), P [3 * hidden].
template <class T>
struct Layer {
  const T* w = nullptr;
  const T* r = nullptr;
  const T* b = nullptr;  // null: zero
  const T* p = nullptr;  // null: no peepholes
  int64_t gates = 1;
  int64_t input = 0;
  int64_t hidden = 0;
  const Activation* activations = nullptr;
  double clip = 0;  // 0: none
  bool input_forget = false;
  bool linear_before_reset = false;

  T clipped(T x) const {
    const T limit = static_cast<T>(clip);
    return clip > 0 ? std::min(std::max(x, -limit), limit) : x;
  }
  T activate(int which, T x) const {
    return static_cast<T>(activations[which](static_cast<double>(clipped(x))));
  }
};

// One time step of one sequence: reads x, replaces h (and c, LSTM only). `gates` is working memory
// for 2 * layer.gates * hidden values.
template <class T>
using Step = void (*)(const Layer<T>& layer, const T* x, T* h, T* c, T* gates);

// Runs a whole recurrent operator: both directions, sequence lengths, either layout, all outputs.
template <class T>
Status run_recurrence(OpCall& call, int64_t gates, int activations_per_direction,
                      std::span<const std::string_view> default_activations, Step<T> step);

// to[0, rows) += matrix [rows, columns] * from.
template <class T>
void add_product(const T* matrix, int64_t rows, int64_t columns, const T* from, T* to) {
  for (int64_t i = 0; i < rows; ++i) {
    T sum = 0;
    for (int64_t j = 0; j < columns; ++j) sum += matrix[i * columns + j] * from[j];
    to[i] += sum;
  }
}

}  // namespace edgewright::reference
