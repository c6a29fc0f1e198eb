// Recurrent layers; the equations are those of the ONNX specification of RNN, GRU and LSTM.
#include "kernels/families.h"
#include "kernels/rnn/recurrence.h"

namespace edgewright {
namespace {

using namespace reference;

// gates[0, rows) = W x + R h + both biases.
template <class T>
void add_gates(const Layer<T>& layer, const T* x, const T* h, int64_t rows, T* gates) {
  const int64_t all = layer.gates * layer.hidden;
  for (int64_t i = 0; i < rows; ++i) {
    gates[i] = layer.b == nullptr ? T{0} : layer.b[i] + layer.b[all + i];
  }
  add_product(layer.w, rows, layer.input, x, gates);
  add_product(layer.r, rows, layer.hidden, h, gates);
}

template <class T>
void rnn_step(const Layer<T>& layer, const T* x, T* h, T*, T* gates) {
  add_gates(layer, x, h, layer.hidden, gates);
  for (int64_t i = 0; i < layer.hidden; ++i) h[i] = layer.activate(0, gates[i]);
}

// Gates in the order input, output, forget, cell; peepholes input, output, forget.
template <class T>
void lstm_step(const Layer<T>& layer, const T* x, T* h, T* c, T* gates) {
  const int64_t n = layer.hidden;
  add_gates(layer, x, h, 4 * n, gates);
  for (int64_t i = 0; i < n; ++i) {
    const T peep_in = layer.p == nullptr ? T{0} : layer.p[i] * c[i];
    const T peep_forget = layer.p == nullptr ? T{0} : layer.p[2 * n + i] * c[i];
    const T in = layer.activate(0, gates[i] + peep_in);
    const T forget =
        layer.input_forget ? 1 - in : layer.activate(0, gates[2 * n + i] + peep_forget);
    c[i] = forget * c[i] + in * layer.activate(1, gates[3 * n + i]);
    const T peep_out = layer.p == nullptr ? T{0} : layer.p[n + i] * c[i];
    const T out = layer.activate(0, gates[n + i] + peep_out);
    h[i] = out * static_cast<T>(layer.activations[2](static_cast<double>(c[i])));
  }
}

// Gates in the order update, reset, hidden.
template <class T>
void gru_step(const Layer<T>& layer, const T* x, T* h, T*, T* gates) {
  const int64_t n = layer.hidden;
  add_gates(layer, x, h, 2 * n, gates);
  T* from_x = gates + 2 * n;
  T* from_h = gates + 3 * n;
  T* update = gates;
  T* reset = gates + n;
  for (int64_t i = 0; i < n; ++i) {
    update[i] = layer.activate(0, update[i]);
    reset[i] = layer.activate(0, reset[i]);
    from_x[i] = layer.b == nullptr ? T{0} : layer.b[2 * n + i];
    from_h[i] = layer.b == nullptr ? T{0} : layer.b[5 * n + i];
  }
  add_product(layer.w + 2 * n * layer.input, n, layer.input, x, from_x);
  const T* recurrent = layer.r + 2 * n * n;
  if (layer.linear_before_reset) {
    add_product(recurrent, n, n, h, from_h);
    for (int64_t i = 0; i < n; ++i) from_h[i] *= reset[i];
  } else {
    for (int64_t i = 0; i < n; ++i) reset[i] *= h[i];
    add_product(recurrent, n, n, reset, from_h);
  }
  for (int64_t i = 0; i < n; ++i) {
    const T candidate = layer.activate(1, from_x[i] + from_h[i]);
    h[i] = (1 - update[i]) * candidate + update[i] * h[i];
  }
}

template <class T>
Status rnn(OpCall& call) {
  constexpr std::string_view kDefaults[] = {"Tanh"};
  return run_recurrence<T>(call, 1, 1, kDefaults, rnn_step<T>);
}
template <class T>
Status gru(OpCall& call) {
  constexpr std::string_view kDefaults[] = {"Sigmoid", "Tanh"};
  return run_recurrence<T>(call, 3, 2, kDefaults, gru_step<T>);
}
template <class T>
Status lstm(OpCall& call) {
  constexpr std::string_view kDefaults[] = {"Sigmoid", "Tanh", "Tanh"};
  return run_recurrence<T>(call, 4, 3, kDefaults, lstm_step<T>);
}

constexpr ReferenceKernel kKernels[] = {
    {"", "RNN", real<rnn<float>, rnn<double>>},
    {"", "GRU", real<gru<float>, gru<double>>},
    {"", "LSTM", real<lstm<float>, lstm<double>>},
};

}  // namespace

std::span<const ReferenceKernel> rnn_reference_kernels() { return kKernels; }

}  // namespace edgewright
