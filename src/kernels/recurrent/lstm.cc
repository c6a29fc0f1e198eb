// ai.onnx LSTM with default activations: the input products of all steps as one matrix product,
// then step by step the recurrent product and the gates.
#include <algorithm>

#include "kernels/elementwise/chunk.h"
#include "kernels/families.h"
#include "kernels/gemm/tile.h"
#include "kernels/implementation.h"
#include "kernels/matmul/matmul_shape.h"

namespace edgewright {
namespace {

struct LstmShape {
  int64_t steps = 0, batch = 0, input = 0, hidden = 0, directions = 1;
  bool backward_first = false;
  bool has_h = false, has_c = false;

  int64_t gates() const { return 4 * hidden; }
  int64_t gate_panels() const { return (gates() + 15) / 16; }
  // Packed floats of one direction: W, R and the sum of both biases.
  int64_t packed() const { return gate_panels() * 16 * (input + hidden + 1); }
};

Result<LstmShape> parse_lstm(const KernelRequest& request) {
  const Attributes& attributes = *request.attributes;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const bool length_or_peephole = i == 4 || i == 7;
    if (has_input(request, i) &&
        (length_or_peephole || request.inputs[i].dtype != DType::kFloat32)) {
      return unsupported("LSTM: lengths, peepholes or another type");
    }
  }
  if (request.inputs.size() < 3 || request.outputs.empty() || !is_plain(request) ||
      attributes.contains("activations") || attributes.contains("clip") ||
      attributes.get_int("input_forget", 0) != 0 || attributes.get_int("layout", 0) != 0) {
    return unsupported("LSTM: not of the default form");
  }
  const Dims& x = request.inputs[0].dims;
  const Dims& w = request.inputs[1].dims;
  const Dims& r = request.inputs[2].dims;
  if (x.size() != 3 || w.size() != 3 || r.size() != 3) return unsupported("LSTM: ranks");
  const std::string direction = attributes.get_string("direction", "forward");
  LstmShape s;
  s.steps = x[0];
  s.batch = x[1];
  s.input = x[2];
  s.hidden = r[2];
  s.directions = direction == "bidirectional" ? 2 : 1;
  s.backward_first = direction == "reverse";
  s.has_h = has_input(request, 5);
  s.has_c = has_input(request, 6);
  constexpr int64_t kLargest = 1 << 20;
  for (const int64_t size : {s.steps, s.batch, s.input, s.hidden}) {
    if (size <= 0 || size > kLargest) return unsupported("LSTM: sizes");
  }
  if (w != Dims{s.directions, s.gates(), s.input} || r != Dims{s.directions, s.gates(), s.hidden} ||
      (has_input(request, 3) && request.inputs[3].dims != Dims{s.directions, 2 * s.gates()})) {
    return unsupported("LSTM: weights do not fit");
  }
  const Dims state = {s.directions, s.batch, s.hidden};
  const Dims all = {s.steps, s.directions, s.batch, s.hidden};
  const auto fits = [](const TensorSpec& spec, const Dims& dims) {
    return spec.dtype == DType::kUndefined || (spec.dtype == DType::kFloat32 && spec.dims == dims);
  };
  if ((s.has_h && request.inputs[5].dims != state) ||
      (s.has_c && request.inputs[6].dims != state) || request.outputs.size() > 3 ||
      !fits(request.outputs[0], all) ||
      (request.outputs.size() > 1 && !fits(request.outputs[1], state)) ||
      (request.outputs.size() > 2 && !fits(request.outputs[2], state))) {
    return unsupported("LSTM: states do not fit");
  }
  return s;
}

class Lstm : public PreparedKernel {
 public:
  Lstm(const LstmShape& shape, PackedBytes packed)
      : s_(shape), packed_(reinterpret_cast<const float*>(packed.data())) {}

  // Gates of all steps, gates of one step, hidden and cell state, and a row of tanh(cell).
  size_t scratch_size_bytes() const override {
    const int64_t row = s_.gate_panels() * 16;
    const int64_t floats = (s_.steps + 1) * s_.batch * row + 3 * s_.batch * s_.hidden;
    return static_cast<size_t>(floats) * sizeof(float);
  }

  void run(const KernelIo& io) const override {
    for (int64_t direction = 0; direction < s_.directions; ++direction) {
      run_direction(io, direction);
    }
  }

 private:
  struct State {
    float *all, *gates, *hidden, *cell, *squashed;
  };

  static float* output(const KernelIo& io, size_t i) {
    return i < io.outputs.size() ? static_cast<float*>(io.outputs[i]) : nullptr;
  }

  void start(const KernelIo& io, size_t input, bool given, int64_t direction, float* state) const {
    const int64_t size = s_.batch * s_.hidden;
    if (!given) {
      std::fill(state, state + size, 0.0f);
      return;
    }
    const float* const from = static_cast<const float*>(io.inputs[input]) + direction * size;
    std::copy(from, from + size, state);
  }

  void run_direction(const KernelIo& io, int64_t direction) const {
    const int64_t row = s_.gate_panels() * 16, size = s_.batch * s_.hidden;
    State state{};
    state.all = static_cast<float*>(io.scratch);
    state.gates = state.all + s_.steps * s_.batch * row;
    state.hidden = state.gates + s_.batch * row;
    state.cell = state.hidden + size;
    state.squashed = state.cell + size;
    start(io, 5, s_.has_h, direction, state.hidden);
    start(io, 6, s_.has_c, direction, state.cell);
    const float* const w = packed_ + direction * s_.packed();
    const float* const r = w + row * s_.input;
    const float* const bias = r + row * s_.hidden;
    multiply(static_cast<const float*>(io.inputs[0]), s_.input, w, bias, nullptr, state.all,
             s_.steps * s_.batch);
    const bool backward = direction == 1 || s_.backward_first;
    for (int64_t i = 0; i < s_.steps; ++i) {
      const int64_t step = backward ? s_.steps - 1 - i : i;
      multiply(state.hidden, s_.hidden, r, nullptr, state.all + step * s_.batch * row, state.gates,
               s_.batch);
      for (int64_t b = 0; b < s_.batch; ++b) advance(state, b);
      if (float* const y = output(io, 0)) {
        std::copy(state.hidden, state.hidden + size, y + (step * s_.directions + direction) * size);
      }
    }
    if (float* const y_h = output(io, 1)) {
      std::copy(state.hidden, state.hidden + size, y_h + direction * size);
    }
    if (float* const y_c = output(io, 2)) {
      std::copy(state.cell, state.cell + size, y_c + direction * size);
    }
  }

  // out [rows][gates] = a [rows][k] * panels + bias + addend
  void multiply(const float* a, int64_t k, const float* panels, const float* bias,
                const float* addend, float* out, int64_t rows) const {
    constexpr ptrdiff_t kNoOffset = 0;
    TileArgs tile;
    tile.a = a;
    tile.a_step = k;
    tile.offsets = &kNoOffset;
    tile.klen = static_cast<size_t>(k);
    tile.w = panels;
    tile.w_panel = k * 16;
    tile.c = out;
    tile.c_step = s_.gate_panels() * 16;
    tile.c_panel = 16;
    tile.bias = bias;
    tile.residual = addend;
    run_tiles(tile, Epilogue(), static_cast<size_t>(rows), static_cast<size_t>(s_.gate_panels()));
  }

  // Gates lie in the order input, output, forget, cell.
  void advance(const State& state, int64_t b) const {
    float* const gates = state.gates + b * s_.gate_panels() * 16;
    float* const cell = state.cell + b * s_.hidden;
    float* const hidden = state.hidden + b * s_.hidden;
    float* const squashed = state.squashed + b * s_.hidden;
    const size_t size = static_cast<size_t>(s_.hidden);
    float* const out_gate = gates + size;
    float* const forget = out_gate + size;
    float* const candidate = forget + size;
    compute_chunk(ElementOp::kSigmoid, gates, nullptr, 0, 0, gates, 3 * size);
    compute_chunk(ElementOp::kTanh, candidate, nullptr, 0, 0, candidate, size);
    compute_chunk(ElementOp::kMul, cell, forget, 0, 0, cell, size);
    compute_chunk(ElementOp::kMul, candidate, gates, 0, 0, candidate, size);
    compute_chunk(ElementOp::kAdd, cell, candidate, 0, 0, cell, size);
    compute_chunk(ElementOp::kTanh, cell, nullptr, 0, 0, squashed, size);
    compute_chunk(ElementOp::kMul, squashed, out_gate, 0, 0, hidden, size);
  }

  LstmShape s_;
  const float* packed_;
};

bool supports(const KernelRequest& request) {
  return parse_lstm(request).ok() && request.inputs[1].constant != nullptr &&
         request.inputs[2].constant != nullptr &&
         (!has_input(request, 3) || request.inputs[3].constant != nullptr);
}

// For each direction: W and R as panels of gates, then the sum of both biases.
Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const LstmShape s, parse_lstm(request));
  EDGEWRIGHT_ASSIGN(Tensor packed,
                    Tensor::allocate(DType::kUint8, {s.directions * s.packed() * 4}));
  float* out = reinterpret_cast<float*>(packed.mutable_bytes());
  const int64_t row = s.gate_panels() * 16;
  for (int64_t direction = 0; direction < s.directions; ++direction, out += s.packed()) {
    const float* const w = request.inputs[1].constant->data<float>();
    const float* const r = request.inputs[2].constant->data<float>();
    pack_panels(w + direction * s.gates() * s.input, s.input, s.gates(), true, out);
    pack_panels(r + direction * s.gates() * s.hidden, s.hidden, s.gates(), true,
                out + row * s.input);
    if (!has_input(request, 3)) continue;
    const float* const b = request.inputs[3].constant->data<float>() + direction * 2 * s.gates();
    float* const bias = out + row * (s.input + s.hidden);
    for (int64_t i = 0; i < s.gates(); ++i) bias[i] = b[i] + b[s.gates() + i];
  }
  return packed;
}

Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const LstmShape s, parse_lstm(request));
  if (packed.size() != static_cast<size_t>(s.directions * s.packed()) * sizeof(float)) {
    return bad_input("packed weights of an LSTM have {} bytes", packed.size());
  }
  return Created(std::make_unique<Lstm>(s, packed));
}

constexpr KernelImplementation kImplementations[] = {
    {"lstm_f32_hwy", "", "LSTM", supports, pack, create},
};

}  // namespace

std::span<const KernelImplementation> recurrent_implementations() { return kImplementations; }

}  // namespace edgewright
