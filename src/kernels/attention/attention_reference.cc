// Scaled dot-product attention and rotary position embedding, as ai.onnx defines them.
#include <cmath>
#include <limits>

#include "kernels/attention/attention_core.h"
#include "kernels/families.h"

namespace edgewright {
namespace {

using namespace reference;

// Q, K or V as [batch, heads, sequence, size].
template <class T>
struct Heads {
  const T* data = nullptr;
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t sequence = 0;
  int64_t size = 0;
  DType dtype = DType::kUndefined;
  bool packed = false;  // the input had rank 3
};

template <class T>
Result<Heads<T>> read_heads(OpCall& call, size_t i, std::string_view count_attribute) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, i));
  if (x.rank() == 4) {
    return Heads<T>{x.data, x.dim(0), x.dim(1), x.dim(2), x.dim(3), x.dtype(), false};
  }
  EDGEWRIGHT_TRY(expect_rank(call, "an input", *x.tensor, 3));
  const int64_t heads = call.attributes->get_int(count_attribute, 0);
  if (heads < 1 || x.dim(2) % heads != 0) {
    return bad_input("{} of {} values a position in {} {}", call.op, x.dim(2), heads,
                     count_attribute);
  }
  Heads<T> made{nullptr, x.dim(0), heads, x.dim(1), x.dim(2) / heads, x.dtype(), true};
  EDGEWRIGHT_ASSIGN(T * data, scratch_array<T>(call, x.count()));
  split_heads(x.data, made.batch, heads, made.sequence, made.size, data);
  made.data = data;
  return made;
}

// Appends fresh keys or values to those of the past; the whole is output `present` too.
template <class T>
Result<Heads<T>> with_past(OpCall& call, size_t past_input, size_t present, Heads<T> fresh) {
  Heads<T> whole = fresh;
  if (call.has_input(past_input)) {
    EDGEWRIGHT_ASSIGN(const Operand<T> past, operand<T>(call, past_input));
    EDGEWRIGHT_TRY(expect_rank(call, "the past", *past.tensor, 4));
    EDGEWRIGHT_TRY(expect_dims(call, "the past", *past.tensor,
                               {fresh.batch, fresh.heads, past.dim(2), fresh.size}));
    whole.sequence = past.dim(2) + fresh.sequence;
    EDGEWRIGHT_ASSIGN(Tensor * made, call.make_scratch(kDTypeOf<T>, {fresh.batch, fresh.heads,
                                                                     whole.sequence, fresh.size}));
    T* data = made->template mutable_data<T>();
    join_sequences(past.data, past.dim(2), fresh.data, fresh.sequence, fresh.batch * fresh.heads,
                   fresh.size, data);
    whole.data = data;
  }
  if (present < call.output_count && call.wants_output(present)) {
    EDGEWRIGHT_ASSIGN(const Computed<T> y,
                      computed<T>(call, present, whole.dtype,
                                  {whole.batch, whole.heads, whole.sequence, whole.size}));
    std::copy_n(whole.data, y.count(), y.data);
    EDGEWRIGHT_TRY(y.finish());
  }
  return whole;
}

// Which keys a query may see, and what is added to their scores.
template <class T>
struct Masking {
  Repeated<T> mask;   // over [batch, heads, queries, width]
  int64_t width = 0;  // keys that the mask covers; those beyond are left out
  bool has_mask = false;
  bool boolean = false;
  bool causal = false;
  int64_t left = -1;  // window bounds, -1: none
  int64_t right = -1;
  int64_t past = 0;
  const int64_t* lengths = nullptr;  // valid keys per batch item; null: all
  int64_t heads = 1;
  int64_t queries = 1;
  int64_t keys = 1;

  void fill(int64_t b, int64_t h, int64_t i, T* row) const;
};

template <class T>
void Masking<T>::fill(int64_t b, int64_t h, int64_t i, T* row) const {
  constexpr T kLeftOut = -std::numeric_limits<T>::infinity();
  const int64_t offset = lengths != nullptr && past == 0 ? lengths[b] - queries : past;
  const int64_t position = i + offset;
  for (int64_t j = 0; j < keys; ++j) {
    T value = 0;
    if (has_mask) {
      const T given = j < width ? mask[((b * heads + h) * queries + i) * width + j] : kLeftOut;
      value = boolean ? (j < width && given != 0 ? T{0} : kLeftOut) : given;
    }
    const bool hidden = (causal && j > position) || (left >= 0 && j < position - left) ||
                        (right >= 0 && j > position + right) ||
                        (lengths != nullptr && j >= lengths[b]);
    row[j] = hidden ? kLeftOut : value;
  }
}

template <class T>
Status read_mask(OpCall& call, const AttentionCore<T>& core, Masking<T>& masking) {
  EDGEWRIGHT_ASSIGN(const Operand<T> mask, optional_operand<T>(call, 3));
  if (mask) {
    if (mask.rank() < 1 || mask.rank() > 4) {
      return bad_input("{} has a mask of shape {}", call.op, dims_text(mask.dims()));
    }
    const int64_t last = mask.dims().back();
    masking.has_mask = true;
    masking.boolean = mask.dtype() == DType::kBool;
    masking.width = last == 1 ? core.keys : std::min(last, core.keys);
    if (last > core.keys) {
      return bad_input("{} has a mask of shape {} for {} keys", call.op, dims_text(mask.dims()),
                       core.keys);
    }
    EDGEWRIGHT_ASSIGN(
        masking.mask,
        repeated(call, "the mask", mask, {core.batch, core.q_heads, core.queries, masking.width}));
  }
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> lengths, optional_operand<int64_t>(call, 6));
  if (!lengths) return {};
  EDGEWRIGHT_TRY(expect_dims(call, "nonpad_kv_seqlen", *lengths.tensor, {core.batch}));
  for (int64_t b = 0; b < core.batch; ++b) {
    if (lengths[b] < 0 || lengths[b] > core.keys) {
      return bad_input("{} has {} valid keys of {}", call.op, lengths[b], core.keys);
    }
  }
  masking.lengths = lengths.data;
  return {};
}

template <class T>
Status check_heads(const OpCall& call, const Heads<T>& q, const Heads<T>& k, const Heads<T>& v) {
  const bool fits = q.batch == k.batch && q.batch == v.batch && k.heads == v.heads &&
                    k.sequence == v.sequence && q.size == k.size && k.heads > 0 &&
                    q.heads % k.heads == 0;
  if (fits) return {};
  return bad_input("{} of Q {}x{}x{}x{}, K {}x{}x{}x{}, V {}x{}x{}x{}: shapes do not fit", call.op,
                   q.batch, q.heads, q.sequence, q.size, k.batch, k.heads, k.sequence, k.size,
                   v.batch, v.heads, v.sequence, v.size);
}

// Runs the core into output 0, in the layout of Q, and output 3.
template <class T>
Status give_attention(OpCall& call, const AttentionCore<T>& core, const Masking<T>& masking,
                      const Heads<T>& q) {
  const int64_t mode = call.attributes->get_int("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) return bad_input("{} has qk_matmul_output_mode {}", call.op, mode);
  Computed<T> scores;
  if (call.output_count > 3 && call.wants_output(3)) {
    EDGEWRIGHT_ASSIGN(
        scores, computed<T>(call, 3, q.dtype, {core.batch, core.q_heads, core.queries, core.keys}));
  }
  const Dims dims = q.packed ? Dims{core.batch, core.queries, core.q_heads * core.v_head}
                             : Dims{core.batch, core.q_heads, core.queries, core.v_head};
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, q.dtype, dims));
  T* out = y.data;
  if (q.packed) {
    EDGEWRIGHT_ASSIGN(out, scratch_array<T>(call, y.count()));
  }
  const auto bias = [&masking](int64_t b, int64_t h, int64_t i, T* row) {
    masking.fill(b, h, i, row);
  };
  using Stage = typename AttentionCore<T>::Stage;
  EDGEWRIGHT_TRY(core.run(call, bias, out, scores.data, static_cast<Stage>(mode)));
  if (q.packed) merge_heads(out, core.batch, core.q_heads, core.queries, core.v_head, y.data);
  if (scores.data != nullptr) EDGEWRIGHT_TRY(scores.finish());
  return y.finish();
}

template <class T>
Status attention(OpCall& call) {
  const Attributes& a = *call.attributes;
  EDGEWRIGHT_ASSIGN(const Heads<T> q, read_heads<T>(call, 0, "q_num_heads"));
  EDGEWRIGHT_ASSIGN(Heads<T> k, read_heads<T>(call, 1, "kv_num_heads"));
  EDGEWRIGHT_ASSIGN(Heads<T> v, read_heads<T>(call, 2, "kv_num_heads"));
  if (call.has_input(4) != call.has_input(5)) {
    return bad_input("{} has a past key or a past value alone", call.op);
  }
  const int64_t fresh = k.sequence;
  EDGEWRIGHT_ASSIGN(k, with_past(call, 4, 1, k));
  EDGEWRIGHT_ASSIGN(v, with_past(call, 5, 2, v));
  EDGEWRIGHT_TRY(check_heads(call, q, k, v));
  AttentionCore<T> core{q.batch, q.heads, k.heads, q.sequence, k.sequence,
                        q.size,  v.size,  q.data,  k.data,     v.data};
  core.softcap = a.get_float("softcap", 0);
  core.scale = a.contains("scale") ? static_cast<double>(a.get_float("scale", 1))
                                   : 1 / std::sqrt(static_cast<double>(q.size));
  Masking<T> masking;
  masking.causal = a.get_int("is_causal", 0) != 0;
  masking.left = a.get_int("left_window_size", -1);
  masking.right = a.get_int("right_window_size", -1);
  masking.past = k.sequence - fresh;
  masking.heads = q.heads;
  masking.queries = q.sequence;
  masking.keys = k.sequence;
  EDGEWRIGHT_TRY(read_mask(call, core, masking));
  return give_attention(call, core, masking, q);
}

// Cosines and sines of every position of every batch item.
template <class T>
struct Angles {
  Operand<T> cosine;
  Operand<T> sine;
  Operand<int64_t> positions;  // omitted: the caches hold one row per position
  int64_t half = 0;

  int64_t row(int64_t position) const {
    return positions ? positions[position] * half : position * half;
  }
};

template <class T>
Result<Angles<T>> read_angles(OpCall& call, const Heads<T>& x, int64_t rotary) {
  Angles<T> angles;
  EDGEWRIGHT_ASSIGN(angles.cosine, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(angles.sine, operand<T>(call, 2));
  EDGEWRIGHT_ASSIGN(angles.positions, optional_operand<int64_t>(call, 3));
  angles.half = rotary / 2;
  EDGEWRIGHT_TRY(expect_dims(call, "sin_cache", *angles.sine.tensor, angles.cosine.dims()));
  if (!angles.positions) {
    EDGEWRIGHT_TRY(
        expect_dims(call, "cos_cache", *angles.cosine.tensor, {x.batch, x.sequence, angles.half}));
    return angles;
  }
  EDGEWRIGHT_TRY(
      expect_dims(call, "position_ids", *angles.positions.tensor, {x.batch, x.sequence}));
  EDGEWRIGHT_TRY(expect_rank(call, "cos_cache", *angles.cosine.tensor, 2));
  const int64_t rows = angles.cosine.dim(0);
  EDGEWRIGHT_TRY(expect_dims(call, "cos_cache", *angles.cosine.tensor, {rows, angles.half}));
  for (int64_t i = 0; i < angles.positions.count(); ++i) {
    if (angles.positions[i] < 0 || angles.positions[i] >= rows) {
      return bad_input("{} has position {} of {}", call.op, angles.positions[i], rows);
    }
  }
  return angles;
}

template <class T>
Status rotary_embedding(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Heads<T> x, read_heads<T>(call, 0, "num_heads"));
  int64_t rotary = call.attributes->get_int("rotary_embedding_dim", 0);
  if (rotary == 0) rotary = x.size;
  if (rotary < 0 || rotary > x.size || rotary % 2 != 0) {
    return bad_input("{} rotates {} of {} values a head", call.op, rotary, x.size);
  }
  EDGEWRIGHT_ASSIGN(const Angles<T> angles, read_angles(call, x, rotary));
  const bool interleaved = call.attributes->get_int("interleaved", 0) != 0;
  EDGEWRIGHT_ASSIGN(const Computed<T> y,
                    computed<T>(call, 0, x.dtype, call.inputs[0].tensor().dims()));
  T* out = y.data;
  if (x.packed) {
    EDGEWRIGHT_ASSIGN(out, scratch_array<T>(call, y.count()));
  }
  for (int64_t i = 0; i < x.batch * x.heads * x.sequence; ++i) {
    const int64_t position = i / (x.heads * x.sequence) * x.sequence + i % x.sequence;
    const int64_t row = angles.row(position);
    rotate_head(x.data + i * x.size, x.size, rotary, angles.cosine.data + row,
                angles.sine.data + row, interleaved, out + i * x.size);
  }
  if (x.packed) merge_heads(out, x.batch, x.heads, x.sequence, x.size, y.data);
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Attention", real<attention<float>, attention<double>>},
    {"", "RotaryEmbedding", real<rotary_embedding<float>, rotary_embedding<double>>},
};

}  // namespace

std::span<const ReferenceKernel> attention_reference_kernels() { return kKernels; }

}  // namespace edgewright
