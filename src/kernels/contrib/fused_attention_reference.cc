// The attention operators of com.microsoft; definitions as in ONNX Runtime's ContribOperators
// documentation.
#include <cmath>
#include <limits>

#include "kernels/attention/attention_core.h"
#include "kernels/families.h"

namespace edgewright {
namespace {

using namespace reference;

constexpr float kLeftOut = -std::numeric_limits<float>::infinity();

using Core = AttentionCore<float>;

Status expect_heads(const OpCall& call, int64_t values, int64_t heads) {
  if (heads >= 1 && values % heads == 0) return {};
  return bad_input("{} of {} values a position in {} heads", call.op, values, heads);
}

// A mask over keys in one of the forms that these operators take.
struct KeyMask {
  Operand<int64_t> mask;
  Repeated<float> bias;  // over [batch, heads, queries, keys]; data may be null
  float filter = -10000;
  bool causal = false;
  int64_t past = 0;

  bool masked(const Core& core, int64_t b, int64_t i, int64_t j) const {
    if (!mask) return false;
    if (mask.rank() == 1) {
      // The end of the valid keys, and where they begin in a second half.
      return j >= mask[b] || (mask.count() == 2 * core.batch && j < mask[core.batch + b]);
    }
    if (mask.rank() == 2) return mask[b * core.keys + j] == 0;
    return mask[(b * core.queries + i) * core.keys + j] == 0;
  }
  void fill(const Core& core, int64_t b, int64_t h, int64_t i, float* row) const {
    for (int64_t j = 0; j < core.keys; ++j) {
      const int64_t at = ((b * core.q_heads + h) * core.queries + i) * core.keys + j;
      row[j] = (masked(core, b, i, j) ? filter : 0) + (bias.data == nullptr ? 0 : bias[at]);
      if (causal && j > i + past) row[j] = kLeftOut;
    }
  }
};

Result<KeyMask> read_key_mask(OpCall& call, const Core& core, size_t mask_input,
                              size_t bias_input) {
  KeyMask made;
  made.filter = call.attributes->get_float("mask_filter_value", -10000);
  made.causal = call.attributes->get_int("unidirectional", 0) != 0;
  EDGEWRIGHT_ASSIGN(made.mask, optional_operand<int64_t>(call, mask_input));
  if (made.mask) {
    const Dims& dims = made.mask.dims();
    const bool fits = dims == Dims{core.batch} || dims == Dims{2 * core.batch} ||
                      dims == Dims{core.batch, core.keys} ||
                      dims == Dims{core.batch, core.queries, core.keys};
    if (!fits) return unsupported("{} with a mask of shape {}", call.op, dims_text(dims));
  }
  EDGEWRIGHT_ASSIGN(const Operand<float> bias, optional_operand<float>(call, bias_input));
  if (bias) {
    EDGEWRIGHT_ASSIGN(made.bias, repeated(call, "attention_bias", bias,
                                          {core.batch, core.q_heads, core.queries, core.keys}));
  }
  return made;
}

Status set_scale(const OpCall& call, Core& core) {
  core.scale = call.attributes->get_float("scale", 0);
  if (core.scale == 0) core.scale = 1 / std::sqrt(static_cast<double>(core.head));
  return {};
}

// Output 0 [batch, queries, heads * v_head] of the given type.
Status give_attention(OpCall& call, const Core& core, Core::Bias bias, DType dtype) {
  const Dims dims{core.batch, core.queries, core.q_heads * core.v_head};
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, dtype, dims));
  EDGEWRIGHT_ASSIGN(float* out, scratch_array<float>(call, y.count()));
  EDGEWRIGHT_TRY(core.run(call, bias, out, nullptr, Core::Stage::kProduct));
  merge_heads(out, core.batch, core.q_heads, core.queries, core.v_head, y.data);
  return y.finish();
}

Status give_present(OpCall& call, size_t i, DType dtype, const Dims& dims, const float* data) {
  if (i >= call.output_count || !call.wants_output(i)) return {};
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, i, dtype, dims));
  std::copy_n(data, y.count(), y.data);
  return y.finish();
}

// [batch, sequence, heads * size] plus an optional bias, as [batch, heads, sequence, size].
// `stride` and `offset` pick the values out of a wider row.
Result<float*> to_heads(OpCall& call, const float* x, const float* bias, const Core& core,
                        int64_t heads, int64_t sequence, int64_t size, int64_t stride,
                        int64_t offset) {
  EDGEWRIGHT_ASSIGN(Tensor * made,
                    call.make_scratch(DType::kFloat32, {core.batch, heads, sequence, size}));
  float* to = made->mutable_data<float>();
  for (int64_t i = 0; i < core.batch * heads * sequence; ++i) {
    const int64_t h = i / sequence % heads;
    const int64_t position = i / (heads * sequence) * sequence + i % sequence;
    const float* from = x + position * stride + offset + h * size;
    for (int64_t d = 0; d < size; ++d) {
      to[i * size + d] = from[d] + (bias == nullptr ? 0 : bias[offset + h * size + d]);
    }
  }
  return to;
}

struct PackedSizes {
  int64_t q = 0;
  int64_t k = 0;
  int64_t v = 0;
  int64_t all() const { return q + k + v; }
};

Result<PackedSizes> packed_sizes(const OpCall& call, int64_t width) {
  const Dims named = call.attributes->get_ints("qkv_hidden_sizes");
  if (named.empty() && width % 3 == 0) return PackedSizes{width / 3, width / 3, width / 3};
  if (named.size() == 3 && *std::min_element(named.begin(), named.end()) > 0 &&
      *std::max_element(named.begin(), named.end()) <= width && named[0] == named[1] &&
      named[0] + named[1] + named[2] == width) {
    return PackedSizes{named[0], named[1], named[2]};
  }
  return bad_input("{} has weights for {} values and qkv_hidden_sizes {}", call.op, width,
                   dims_text(named));
}

// Joins the two halves of `past` [2, batch, heads, length, size] with fresh keys and values.
Status join_past(OpCall& call, const Operand<float>& past, Core& core, DType dtype) {
  if (core.head != core.v_head) {
    return unsupported("{} with a past and values of another size", call.op);
  }
  EDGEWRIGHT_TRY(expect_rank(call, "past", *past.tensor, 5));
  const int64_t length = past.dim(3);
  EDGEWRIGHT_TRY(
      expect_dims(call, "past", *past.tensor, {2, core.batch, core.kv_heads, length, core.head}));
  const int64_t count = core.batch * core.kv_heads;
  const int64_t total = length + core.keys;
  const Dims dims{2, core.batch, core.kv_heads, total, core.head};
  EDGEWRIGHT_ASSIGN(Tensor * made, call.make_scratch(DType::kFloat32, dims));
  float* joined = made->mutable_data<float>();
  const int64_t half = count * total * core.head;
  join_sequences(past.data, length, core.k, core.keys, count, core.head, joined);
  join_sequences(past.data + count * length * core.head, length, core.v, core.keys, count,
                 core.head, joined + half);
  core.k = joined;
  core.v = joined + half;
  core.keys = total;
  return give_present(call, 1, dtype, dims, joined);
}

Status fused_attention(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<float> w, operand<float>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<float> bias, optional_operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<float> past, optional_operand<float>(call, 4));
  EDGEWRIGHT_TRY(expect_rank(call, "input", *x.tensor, 3));
  EDGEWRIGHT_TRY(expect_rank(call, "weights", *w.tensor, 2));
  EDGEWRIGHT_TRY(expect_dims(call, "weights", *w.tensor, {x.dim(2), w.dim(1)}));
  if (call.attributes->get_int("do_rotary", 0) != 0 ||
      call.attributes->get_int("past_present_share_buffer", 0) != 0) {
    return unsupported("{} with rotary embedding or a shared past", call.op);
  }
  const int64_t width = w.dim(1);
  EDGEWRIGHT_ASSIGN(const PackedSizes sizes, packed_sizes(call, width));
  if (bias) EDGEWRIGHT_TRY(expect_dims(call, "bias", *bias.tensor, {width}));
  Core core{x.dim(0)};
  core.q_heads = core.kv_heads = call.attributes->get_int("num_heads", 0);
  EDGEWRIGHT_TRY(expect_heads(call, sizes.q, core.q_heads));
  EDGEWRIGHT_TRY(expect_heads(call, sizes.v, core.q_heads));
  core.queries = core.keys = x.dim(1);
  core.head = sizes.q / core.q_heads;
  core.v_head = sizes.v / core.q_heads;
  EDGEWRIGHT_ASSIGN(Tensor * made, call.make_scratch(DType::kFloat32, {x.dim(0), x.dim(1), width}));
  float* packed = made->mutable_data<float>();
  for (int64_t i = 0; i < x.dim(0) * x.dim(1); ++i) {
    for (int64_t k = 0; k < x.dim(2); ++k) {
      const float factor = x[i * x.dim(2) + k];
      for (int64_t j = 0; j < width; ++j) packed[i * width + j] += factor * w[k * width + j];
    }
  }
  const float* b = bias.data;
  EDGEWRIGHT_ASSIGN(
      core.q, to_heads(call, packed, b, core, core.q_heads, core.queries, core.head, width, 0));
  EDGEWRIGHT_ASSIGN(
      core.k, to_heads(call, packed, b, core, core.q_heads, core.keys, core.head, width, sizes.q));
  EDGEWRIGHT_ASSIGN(core.v, to_heads(call, packed, b, core, core.q_heads, core.keys, core.v_head,
                                     width, sizes.q + sizes.k));
  if (past) {
    EDGEWRIGHT_TRY(join_past(call, past, core, x.dtype()));
  } else if (call.output_count > 1 && call.wants_output(1)) {
    const Dims dims{2, core.batch, core.kv_heads, core.keys, core.head};
    if (core.head != core.v_head) return unsupported("{}: present of two sizes", call.op);
    EDGEWRIGHT_ASSIGN(Tensor * both, call.make_scratch(DType::kFloat32, dims));
    const int64_t half = both->element_count() / 2;
    std::copy_n(core.k, half, both->mutable_data<float>());
    std::copy_n(core.v, half, both->mutable_data<float>() + half);
    EDGEWRIGHT_TRY(give_present(call, 1, x.dtype(), dims, both->data<float>()));
  }
  EDGEWRIGHT_TRY(set_scale(call, core));
  EDGEWRIGHT_ASSIGN(KeyMask mask, read_key_mask(call, core, 3, 5));
  mask.past = core.keys - core.queries;
  const auto fill = [&](int64_t n, int64_t h, int64_t i, float* row) {
    mask.fill(core, n, h, i, row);
  };
  return give_attention(call, core, fill, x.dtype());
}

// Keys or values of MultiHeadAttention: [batch, sequence, heads * size], or split already.
Result<const float*> mha_side(OpCall& call, const Operand<float>& x, const float* bias,
                              const Core& core, int64_t& sequence, int64_t& size) {
  if (x.rank() == 4) {
    sequence = x.dim(2);
    size = x.dim(3);
    EDGEWRIGHT_TRY(
        expect_dims(call, "key or value", *x.tensor, {core.batch, core.kv_heads, sequence, size}));
    return x.data;
  }
  EDGEWRIGHT_TRY(expect_rank(call, "key or value", *x.tensor, 3));
  EDGEWRIGHT_TRY(expect_heads(call, x.dim(2), core.kv_heads));
  sequence = x.dim(1);
  size = x.dim(2) / core.kv_heads;
  EDGEWRIGHT_TRY(expect_dims(call, "key or value", *x.tensor, {core.batch, sequence, x.dim(2)}));
  EDGEWRIGHT_ASSIGN(const float* made,
                    to_heads(call, x.data, bias, core, core.kv_heads, sequence, size, x.dim(2), 0));
  return made;
}

// Puts input `past` [batch, heads, length, size] in front; all of it is output `present`.
Result<const float*> mha_join(OpCall& call, size_t past_input, size_t present, const Core& core,
                              const float* fresh, int64_t& sequence, int64_t size, DType dtype) {
  const float* whole = fresh;
  if (call.has_input(past_input)) {
    EDGEWRIGHT_ASSIGN(const Operand<float> past, operand<float>(call, past_input));
    EDGEWRIGHT_TRY(expect_rank(call, "the past", *past.tensor, 4));
    const int64_t length = past.dim(2);
    EDGEWRIGHT_TRY(
        expect_dims(call, "the past", *past.tensor, {core.batch, core.kv_heads, length, size}));
    EDGEWRIGHT_ASSIGN(Tensor * made, call.make_scratch(DType::kFloat32, {core.batch, core.kv_heads,
                                                                         length + sequence, size}));
    join_sequences(past.data, length, fresh, sequence, core.batch * core.kv_heads, size,
                   made->mutable_data<float>());
    whole = made->data<float>();
    sequence += length;
  }
  EDGEWRIGHT_TRY(
      give_present(call, present, dtype, {core.batch, core.kv_heads, sequence, size}, whole));
  return whole;
}

Status multi_head_attention(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> q, operand<float>(call, 0));
  if (q.rank() != 3 || !call.has_input(1) || !call.has_input(2)) {
    return unsupported("{} with packed inputs", call.op);
  }
  EDGEWRIGHT_ASSIGN(const Operand<float> k, operand<float>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<float> v, operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<float> bias, optional_operand<float>(call, 3));
  Core core{q.dim(0)};
  core.q_heads = core.kv_heads = call.attributes->get_int("num_heads", 0);
  EDGEWRIGHT_TRY(expect_heads(call, q.dim(2), core.q_heads));
  core.queries = q.dim(1);
  core.head = q.dim(2) / core.q_heads;
  const int64_t v_width = v.rank() == 3 ? v.dim(2) : v.rank() == 4 ? v.dim(1) * v.dim(3) : 0;
  if (bias) EDGEWRIGHT_TRY(expect_dims(call, "bias", *bias.tensor, {2 * q.dim(2) + v_width}));
  if (bias && (k.rank() != 3 || v.rank() != 3)) {
    return unsupported("{} with a bias and split keys", call.op);
  }
  const float* b = bias.data;
  EDGEWRIGHT_ASSIGN(
      core.q, to_heads(call, q.data, b, core, core.q_heads, core.queries, core.head, q.dim(2), 0));
  int64_t head = 0;
  int64_t length = 0;
  EDGEWRIGHT_ASSIGN(core.k,
                    mha_side(call, k, b == nullptr ? b : b + q.dim(2), core, core.keys, head));
  EDGEWRIGHT_ASSIGN(
      core.v, mha_side(call, v, b == nullptr ? b : b + 2 * q.dim(2), core, length, core.v_head));
  if (head != core.head || length != core.keys) {
    return bad_input("{} of query {}, key {}, value {}", call.op, dims_text(q.dims()),
                     dims_text(k.dims()), dims_text(v.dims()));
  }
  const int64_t fresh = core.keys;
  EDGEWRIGHT_ASSIGN(core.k, mha_join(call, 6, 1, core, core.k, core.keys, core.head, k.dtype()));
  EDGEWRIGHT_ASSIGN(core.v, mha_join(call, 7, 2, core, core.v, length, core.v_head, v.dtype()));
  if (length != core.keys) return bad_input("{} has pasts of two lengths", call.op);
  EDGEWRIGHT_TRY(set_scale(call, core));
  EDGEWRIGHT_ASSIGN(KeyMask mask, read_key_mask(call, core, 4, 5));
  mask.past = core.keys - fresh;
  const auto fill = [&](int64_t n, int64_t h, int64_t i, float* row) {
    mask.fill(core, n, h, i, row);
  };
  return give_attention(call, core, fill, q.dtype());
}

// What GroupQueryAttention reads besides queries, keys and values.
struct Grouped {
  Core core;
  int64_t fresh = 0;          // keys that come with this call
  int64_t buffered = 0;       // length of the past inputs
  std::vector<int64_t> past;  // valid past keys of every batch item
  int64_t window = -1;
};

Status read_lengths(OpCall& call, Grouped& g) {
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> last, operand<int64_t>(call, 5));
  EDGEWRIGHT_ASSIGN(const int64_t total, scalar_operand<int64_t>(call, 6));
  if (last.count() != g.core.batch || total < g.fresh) {
    return bad_input("{} has {} sequence lengths for {} items and a total of {}", call.op,
                     last.count(), g.core.batch, total);
  }
  g.core.keys = std::max(total, g.buffered);
  for (int64_t b = 0; b < g.core.batch; ++b) {
    const int64_t past = total == g.fresh ? 0 : last[b] + 1 - g.fresh;
    if (past < 0 || past > g.buffered || past + g.fresh > g.core.keys) {
      return bad_input("{} has a sequence of {} with {} new and {} past positions", call.op,
                       last[b] + 1, g.fresh, g.buffered);
    }
    g.past.push_back(past);
  }
  return {};
}

// Rotates heads in place; position s of item b stands at past[b] + s.
Status rotate_fresh(OpCall& call, const Grouped& g, int64_t heads, float* data) {
  if (call.attributes->get_int("do_rotary", 0) == 0) return {};
  EDGEWRIGHT_ASSIGN(const Operand<float> cosine, operand<float>(call, 7));
  EDGEWRIGHT_ASSIGN(const Operand<float> sine, operand<float>(call, 8));
  EDGEWRIGHT_TRY(expect_rank(call, "cos_cache", *cosine.tensor, 2));
  EDGEWRIGHT_TRY(expect_dims(call, "sin_cache", *sine.tensor, cosine.dims()));
  const bool interleaved = call.attributes->get_int("rotary_interleaved", 0) != 0;
  const int64_t half = cosine.dim(1);
  const int64_t size = g.core.head;
  if (2 * half > size) return bad_input("{} rotates {} of {} values", call.op, 2 * half, size);
  EDGEWRIGHT_ASSIGN(float* copy, scratch_array<float>(call, size));
  for (int64_t i = 0; i < g.core.batch * heads * g.fresh; ++i) {
    const int64_t position = g.past[static_cast<size_t>(i / (heads * g.fresh))] + i % g.fresh;
    if (position >= cosine.dim(0)) {
      return bad_input("{} at position {} of {} rotations", call.op, position, cosine.dim(0));
    }
    std::copy_n(data + i * size, size, copy);
    rotate_head(copy, size, 2 * half, cosine.data + position * half, sine.data + position * half,
                interleaved, data + i * size);
  }
  return {};
}

// The cache of this call: the past of each item, then what is fresh, the rest zero.
Result<const float*> fill_cache(OpCall& call, const Grouped& g, size_t past_input, size_t present,
                                const float* fresh, DType dtype) {
  const Core& core = g.core;
  const Dims dims{core.batch, core.kv_heads, core.keys, core.head};
  EDGEWRIGHT_ASSIGN(const Operand<float> past, optional_operand<float>(call, past_input));
  if (past) {
    EDGEWRIGHT_TRY(expect_dims(call, "the past", *past.tensor,
                               {core.batch, core.kv_heads, g.buffered, core.head}));
  }
  EDGEWRIGHT_ASSIGN(Tensor * made, call.make_scratch(DType::kFloat32, dims));
  float* cache = made->mutable_data<float>();
  for (int64_t i = 0; i < core.batch * core.kv_heads; ++i) {
    float* to = cache + i * core.keys * core.head;
    const int64_t length = g.past[static_cast<size_t>(i / core.kv_heads)];
    if (past) std::copy_n(past.data + i * g.buffered * core.head, length * core.head, to);
    std::copy_n(fresh + i * g.fresh * core.head, g.fresh * core.head, to + length * core.head);
  }
  EDGEWRIGHT_TRY(give_present(call, present, dtype, dims, cache));
  return static_cast<const float*>(cache);
}

Status read_grouped(OpCall& call, const Operand<float>& q, Grouped& g) {
  const Attributes& a = *call.attributes;
  EDGEWRIGHT_TRY(expect_rank(call, "query", *q.tensor, 3));
  Core& core = g.core;
  core.batch = q.dim(0);
  core.queries = g.fresh = q.dim(1);
  core.q_heads = a.get_int("num_heads", 0);
  core.kv_heads = a.get_int("kv_num_heads", 0);
  const bool packed = !call.has_input(1);
  constexpr int64_t kMostHeads = int64_t{1} << 20;
  if (core.q_heads < 1 || core.kv_heads < 1 || core.q_heads > kMostHeads ||
      core.q_heads % core.kv_heads != 0) {
    return bad_input("{} has {} query heads and {} key heads", call.op, core.q_heads,
                     core.kv_heads);
  }
  const int64_t all = core.q_heads + (packed ? 2 * core.kv_heads : 0);
  EDGEWRIGHT_TRY(expect_heads(call, q.dim(2), all));
  core.head = core.v_head = q.dim(2) / all;
  if (call.has_input(3)) {
    EDGEWRIGHT_ASSIGN(const Tensor* past, call.tensor(3));
    EDGEWRIGHT_TRY(expect_rank(call, "past_key", *past, 4));
    g.buffered = past->dim(2);
  }
  g.window = a.get_int("local_window_size", -1);
  core.softcap = a.get_float("softcap", 0);
  EDGEWRIGHT_TRY(set_scale(call, core));
  return read_lengths(call, g);
}

Status group_query_attention(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> q, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(Operand<float> k, optional_operand<float>(call, 1));
  EDGEWRIGHT_ASSIGN(Operand<float> v, optional_operand<float>(call, 2));
  if (call.has_input(9) || call.attributes->get_int("smooth_softmax", 0) == 1) {
    return unsupported("{} with position_ids or a smooth softmax", call.op);
  }
  Grouped g;
  EDGEWRIGHT_TRY(read_grouped(call, q, g));
  Core& core = g.core;
  const int64_t width = core.kv_heads * core.head;
  const int64_t q_width = core.q_heads * core.head;
  if (static_cast<bool>(k) != static_cast<bool>(v)) return bad_input("{}: no value", call.op);
  for (const Operand<float>* side : {&k, &v}) {
    if (!*side) continue;
    EDGEWRIGHT_TRY(
        expect_dims(call, "key or value", *side->tensor, {core.batch, core.queries, width}));
  }
  const bool packed = !k;
  EDGEWRIGHT_ASSIGN(float* q_heads, to_heads(call, q.data, nullptr, core, core.q_heads, g.fresh,
                                             core.head, q.dim(2), 0));
  EDGEWRIGHT_ASSIGN(float* k_heads,
                    to_heads(call, packed ? q.data : k.data, nullptr, core, core.kv_heads, g.fresh,
                             core.head, packed ? q.dim(2) : width, packed ? q_width : 0));
  EDGEWRIGHT_ASSIGN(float* v_heads,
                    to_heads(call, packed ? q.data : v.data, nullptr, core, core.kv_heads, g.fresh,
                             core.head, packed ? q.dim(2) : width, packed ? q_width + width : 0));
  EDGEWRIGHT_TRY(rotate_fresh(call, g, core.q_heads, q_heads));
  EDGEWRIGHT_TRY(rotate_fresh(call, g, core.kv_heads, k_heads));
  core.q = q_heads;
  EDGEWRIGHT_ASSIGN(core.k, fill_cache(call, g, 3, 1, k_heads, q.dtype()));
  EDGEWRIGHT_ASSIGN(core.v, fill_cache(call, g, 4, 2, v_heads, q.dtype()));
  EDGEWRIGHT_ASSIGN(const Operand<float> sink, optional_operand<float>(call, 11));
  if (sink) EDGEWRIGHT_TRY(expect_dims(call, "head_sink", *sink.tensor, {core.q_heads}));
  core.sink = sink.data;
  EDGEWRIGHT_ASSIGN(const KeyMask mask, read_key_mask(call, core, 64, 10));
  const auto fill = [&](int64_t b, int64_t h, int64_t i, float* row) {
    mask.fill(core, b, h, i, row);
    const int64_t position = g.past[static_cast<size_t>(b)] + i;
    for (int64_t j = 0; j < core.keys; ++j) {
      if (j > position || (g.window > 0 && j <= position - g.window)) row[j] = kLeftOut;
    }
  };
  return give_attention(call, core, fill, q.dtype());
}

// RotaryEmbedding: position_ids are the first position, or one for every position.
Status fused_rotary_embedding(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> positions, operand<int64_t>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<float> cosine, operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<float> sine, operand<float>(call, 3));
  EDGEWRIGHT_TRY(expect_rank(call, "cos_cache", *cosine.tensor, 2));
  EDGEWRIGHT_TRY(expect_dims(call, "sin_cache", *sine.tensor, cosine.dims()));
  if (x.rank() != 3 && x.rank() != 4) {
    return bad_input("{} of shape {}", call.op, dims_text(x.dims()));
  }
  const int64_t half = cosine.dim(1);
  const bool split = x.rank() == 4;
  const int64_t batch = x.dim(0);
  const int64_t sequence = x.dim(split ? 2 : 1);
  int64_t heads = split ? x.dim(1) : call.attributes->get_int("num_heads", 0);
  if (!split && heads == 0 && half > 0) heads = x.dim(2) / (2 * half);
  if (!split) EDGEWRIGHT_TRY(expect_heads(call, x.dim(2), heads));
  const int64_t size = split ? x.dim(3) : x.dim(2) / heads;
  const bool single = positions.count() == 1;
  if (2 * half > size || (!single && positions.count() != batch * sequence)) {
    return bad_input("{} of {} with {} rotations at {}", call.op, dims_text(x.dims()), half,
                     dims_text(positions.dims()));
  }
  const bool interleaved = call.attributes->get_int("interleaved", 0) != 0;
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, x.dtype(), x.dims()));
  for (int64_t i = 0; i < batch * heads * sequence; ++i) {
    // Rows are [batch, heads, sequence] or [batch, sequence, heads].
    const int64_t s = split ? i % sequence : i / heads % sequence;
    const int64_t b = i / (heads * sequence);
    const int64_t first = positions[single ? 0 : b * sequence + s];
    if (first < 0 || first > cosine.dim(0) || first + (single ? s : 0) >= cosine.dim(0)) {
      return bad_input("{} at position {} of {}", call.op, first, cosine.dim(0));
    }
    const int64_t row = (first + (single ? s : 0)) * half;
    rotate_head(x.data + i * size, size, 2 * half, cosine.data + row, sine.data + row, interleaved,
                y.data + i * size);
  }
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"com.microsoft", "Attention", real<fused_attention, fused_attention>},
    {"com.microsoft", "MultiHeadAttention", real<multi_head_attention, multi_head_attention>},
    {"com.microsoft", "GroupQueryAttention", real<group_query_attention, group_query_attention>},
    {"com.microsoft", "RotaryEmbedding", real<fused_rotary_embedding, fused_rotary_embedding>},
};

}  // namespace

std::span<const ReferenceKernel> fused_attention_reference_kernels() { return kKernels; }

}  // namespace edgewright
