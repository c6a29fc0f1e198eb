// Recurrent forms of attention, with their state as input and output.
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/operand.h"

namespace edgewright {
namespace {

using namespace reference;

struct LinearShape {
  int64_t batch = 0;
  int64_t steps = 0;
  int64_t q_heads = 0;
  int64_t kv_heads = 0;
  int64_t key = 0;    // values of a key head
  int64_t value = 0;  // values of a value head
  bool gated = false;
  bool delta = false;
};

struct LinearInputs {
  Operand<float> query, key, value, decay, beta;
  bool decay_per_key = false;
  bool beta_per_head = false;
};

Result<LinearShape> linear_shape(const OpCall& call, const LinearInputs& in) {
  LinearShape s;
  const std::string rule = call.attributes->get_string("update_rule", "gated_delta");
  s.gated = rule == "gated" || rule == "gated_delta";
  s.delta = rule == "delta" || rule == "gated_delta";
  if (!s.gated && !s.delta && rule != "linear") {
    return bad_input("{} has update_rule '{}'", call.op, rule);
  }
  s.q_heads = call.attributes->get_int("q_num_heads", 0);
  s.kv_heads = call.attributes->get_int("kv_num_heads", 0);
  for (const Operand<float>* x : {&in.query, &in.key, &in.value}) {
    EDGEWRIGHT_TRY(expect_rank(call, "an input", *x->tensor, 3));
  }
  s.batch = in.query.dim(0);
  s.steps = in.query.dim(1);
  if (s.kv_heads < 1 || s.q_heads < 1 || s.q_heads % s.kv_heads != 0 ||
      in.query.dim(2) % s.q_heads != 0 || in.value.dim(2) % s.kv_heads != 0) {
    return bad_input("{} of query {}, value {} with {} and {} heads", call.op,
                     dims_text(in.query.dims()), dims_text(in.value.dims()), s.q_heads, s.kv_heads);
  }
  s.key = in.query.dim(2) / s.q_heads;
  s.value = in.value.dim(2) / s.kv_heads;
  // The dimensions are bounded by those of existing tensors, so the products are safe.
  if (in.key.dim(2) / s.kv_heads != s.key || in.key.dim(2) % s.kv_heads != 0) {
    return bad_input("{} has a key of {} for {} heads of {}", call.op, dims_text(in.key.dims()),
                     s.kv_heads, s.key);
  }
  EDGEWRIGHT_TRY(expect_dims(call, "key", *in.key.tensor, {s.batch, s.steps, in.key.dim(2)}));
  EDGEWRIGHT_TRY(expect_dims(call, "value", *in.value.tensor, {s.batch, s.steps, in.value.dim(2)}));
  return s;
}

Status read_gates(OpCall& call, const LinearShape& s, LinearInputs& in) {
  EDGEWRIGHT_ASSIGN(in.decay, optional_operand<float>(call, 4));
  EDGEWRIGHT_ASSIGN(in.beta, optional_operand<float>(call, 5));
  if ((s.gated && !in.decay) || (s.delta && !in.beta)) {
    return bad_input("{} lacks the decay or beta that its update_rule needs", call.op);
  }
  if (s.gated) {
    EDGEWRIGHT_TRY(expect_rank(call, "decay", *in.decay.tensor, 3));
    in.decay_per_key = in.decay.dim(2) != s.kv_heads || s.key == 1;
    EDGEWRIGHT_TRY(expect_dims(call, "decay", *in.decay.tensor,
                               {s.batch, s.steps, s.kv_heads * (in.decay_per_key ? s.key : 1)}));
  }
  if (s.delta) {
    EDGEWRIGHT_TRY(expect_rank(call, "beta", *in.beta.tensor, 3));
    in.beta_per_head = in.beta.dim(2) != 1;
    EDGEWRIGHT_TRY(expect_dims(call, "beta", *in.beta.tensor,
                               {s.batch, s.steps, in.beta_per_head ? s.kv_heads : 1}));
  }
  return {};
}

// One time step of one key head: state [key, value] moves, `kept` is working memory for `value`.
void update_state(const LinearShape& s, const LinearInputs& in, int64_t position, int64_t h,
                  float* state, float* kept) {
  const int64_t at = position * s.kv_heads + h;
  const float* key = in.key.data + at * s.key;
  const float* value = in.value.data + at * s.value;
  for (int64_t i = 0; s.gated && i < s.key; ++i) {
    const float decay = std::exp(in.decay_per_key ? in.decay[at * s.key + i] : in.decay[at]);
    for (int64_t j = 0; j < s.value; ++j) state[i * s.value + j] *= decay;
  }
  std::copy_n(value, s.value, kept);
  if (s.delta) {
    const float beta = in.beta_per_head ? in.beta[at] : in.beta[position];
    for (int64_t i = 0; i < s.key; ++i) {
      for (int64_t j = 0; j < s.value; ++j) kept[j] -= state[i * s.value + j] * key[i];
    }
    for (int64_t j = 0; j < s.value; ++j) kept[j] *= beta;
  }
  for (int64_t i = 0; i < s.key; ++i) {
    for (int64_t j = 0; j < s.value; ++j) state[i * s.value + j] += key[i] * kept[j];
  }
}

// The outputs of the query heads that share key head h.
void read_state(const LinearShape& s, const LinearInputs& in, int64_t position, int64_t h,
                float scale, const float* state, float* out) {
  const int64_t group = s.q_heads / s.kv_heads;
  for (int64_t head = h * group; head < (h + 1) * group; ++head) {
    const float* query = in.query.data + (position * s.q_heads + head) * s.key;
    float* to = out + (position * s.q_heads + head) * s.value;
    for (int64_t i = 0; i < s.key; ++i) {
      for (int64_t j = 0; j < s.value; ++j) to[j] += scale * query[i] * state[i * s.value + j];
    }
  }
}

Status linear_attention(OpCall& call) {
  LinearInputs in;
  EDGEWRIGHT_ASSIGN(in.query, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(in.key, operand<float>(call, 1));
  EDGEWRIGHT_ASSIGN(in.value, operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<float> past, optional_operand<float>(call, 3));
  EDGEWRIGHT_ASSIGN(const LinearShape s, linear_shape(call, in));
  EDGEWRIGHT_TRY(read_gates(call, s, in));
  const Dims state_dims{s.batch, s.kv_heads, s.key, s.value};
  if (past) EDGEWRIGHT_TRY(expect_dims(call, "past_state", *past.tensor, state_dims));
  float scale = call.attributes->get_float("scale", 0);
  if (scale == 0) scale = 1 / std::sqrt(static_cast<float>(s.key));
  EDGEWRIGHT_ASSIGN(
      const Computed<float> y,
      computed<float>(call, 0, in.query.dtype(), {s.batch, s.steps, s.q_heads * s.value}));
  EDGEWRIGHT_ASSIGN(const Computed<float> state,
                    computed<float>(call, 1, past ? past.dtype() : in.query.dtype(), state_dims));
  EDGEWRIGHT_ASSIGN(float* kept, scratch_array<float>(call, s.value));
  if (past) std::copy_n(past.data, past.count(), state.data);
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t h = 0; h < s.kv_heads; ++h) {
      float* own = state.data + (b * s.kv_heads + h) * s.key * s.value;
      for (int64_t t = b * s.steps; t < (b + 1) * s.steps; ++t) {
        update_state(s, in, t, h, own, kept);
        read_state(s, in, t, h, scale, own, y.data);
      }
    }
  }
  EDGEWRIGHT_TRY(state.finish());
  return y.finish();
}

// Depthwise convolution over the past state and the input, and the state for the next call.
Status causal_conv_with_state(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<float> w, operand<float>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<float> bias, optional_operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<float> past, optional_operand<float>(call, 3));
  EDGEWRIGHT_TRY(expect_rank(call, "input", *x.tensor, 3));
  EDGEWRIGHT_TRY(expect_rank(call, "weight", *w.tensor, 3));
  const int64_t channels = x.dim(1);
  const int64_t length = x.dim(2);
  const int64_t taps = w.dim(2);
  if (taps < 1) return bad_input("{} has a weight of {}", call.op, dims_text(w.dims()));
  EDGEWRIGHT_TRY(expect_dims(call, "weight", *w.tensor, {channels, 1, taps}));
  const Dims state_dims{x.dim(0), channels, taps - 1};
  if (bias) EDGEWRIGHT_TRY(expect_dims(call, "bias", *bias.tensor, {channels}));
  if (past) EDGEWRIGHT_TRY(expect_dims(call, "past_state", *past.tensor, state_dims));
  const std::string activation = call.attributes->get_string("activation", "none");
  const bool silu = activation == "silu" || activation == "swish";
  if (!silu && activation != "none") {
    return bad_input("{} has activation '{}'", call.op, activation);
  }
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, x.dtype(), x.dims()));
  EDGEWRIGHT_ASSIGN(const Computed<float> state, computed<float>(call, 1, x.dtype(), state_dims));
  EDGEWRIGHT_ASSIGN(float* line, scratch_array<float>(call, taps - 1 + length));
  for (int64_t i = 0; i < x.dim(0) * channels; ++i) {
    const float* filter = w.data + i % channels * taps;
    if (past) std::copy_n(past.data + i * (taps - 1), taps - 1, line);
    std::copy_n(x.data + i * length, length, line + taps - 1);
    for (int64_t t = 0; t < length; ++t) {
      float sum = bias ? bias[i % channels] : 0;
      for (int64_t k = 0; k < taps; ++k) sum += filter[k] * line[t + k];
      y[i * length + t] = silu ? sum / (1 + std::exp(-sum)) : sum;
    }
    std::copy_n(line + length, taps - 1, state.data + i * (taps - 1));
  }
  EDGEWRIGHT_TRY(state.finish());
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"", "LinearAttention", real<linear_attention, linear_attention>},
    {"", "CausalConvWithState", real<causal_conv_with_state, causal_conv_with_state>},
};

}  // namespace

std::span<const ReferenceKernel> linear_attention_reference_kernels() { return kKernels; }

}  // namespace edgewright
