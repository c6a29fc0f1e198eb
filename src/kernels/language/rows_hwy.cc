#include <algorithm>
#include <cmath>

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/language/rows_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/language/product.h"
#include "kernels/language/rows.h"
#include "kernels/math-inl.h"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright::language {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using edgewright::HWY_NAMESPACE::load_first;
using edgewright::HWY_NAMESPACE::store_first;
using edgewright::HWY_NAMESPACE::vector_exp;
using edgewright::HWY_NAMESPACE::vector_gelu;
using edgewright::HWY_NAMESPACE::vector_gelu_tanh;
using edgewright::HWY_NAMESPACE::vector_sigmoid;
using edgewright::HWY_NAMESPACE::vector_tanh;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());

float sum_of_squares(const float* x, size_t count) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    for (size_t j = 0; j < 4; ++j) {
      const V value = hn::LoadU(d, x + i + j * lanes);
      sum[j] = hn::MulAdd(value, value, sum[j]);
    }
  }
  for (; i < count; i += lanes) {
    const V value = load_first(d, x + i, count - i);
    sum[0] = hn::MulAdd(value, value, sum[0]);
  }
  const V total = hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]));
  return hn::GetLane(hn::SumOfLanes(d, total));
}

void norm_row(const float* x, const float* weight, float epsilon, size_t count, float* out,
              const float* residual) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float mean = sum_of_squares(x, count) / static_cast<float>(count);
  const V factor = hn::Set(d, 1.0f / std::sqrt(mean + epsilon));
  for (size_t i = 0; i < count; i += lanes) {
    const size_t valid = count - i;
    const V value =
        hn::Mul(hn::Mul(load_first(d, x + i, valid), factor), load_first(d, weight + i, valid));
    const V sum = residual == nullptr ? value : hn::Add(value, load_first(d, residual + i, valid));
    store_first(sum, d, out + i, valid);
  }
}

template <Gate kGate>
HWY_INLINE V gated(D d, V gate, V up) {
  if constexpr (kGate == Gate::kSilu) {
    return hn::Mul(hn::Mul(gate, vector_sigmoid(d, gate)), up);
  } else if constexpr (kGate == Gate::kGelu) {
    return hn::Mul(vector_gelu(d, gate), up);
  } else {
    return hn::Mul(vector_gelu_tanh(d, gate), up);
  }
}
template <Gate kGate>
void gate_all(const float* gates, const float* ups, float* out, size_t count) {
  const D d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const V gate = load_first(d, gates + i, count - i), up = load_first(d, ups + i, count - i);
    store_first(gated<kGate>(d, gate, up), d, out + i, count - i);
  }
}
void gate_row(Gate gate, const float* gates, const float* ups, float* out, size_t count) {
  switch (gate) {
    case Gate::kSilu: return gate_all<Gate::kSilu>(gates, ups, out, count);
    case Gate::kGelu: return gate_all<Gate::kGelu>(gates, ups, out, count);
    case Gate::kGeluTanh: return gate_all<Gate::kGeluTanh>(gates, ups, out, count);
    case Gate::kNone: return;
  }
}

// Blocks of gates and of ups by turns.
template <Gate kGate>
void gate_all_blocks(const float* raw, float* out, size_t count) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < count; i += lanes) {
    const float* gates = raw + i / kBlockRows * 2 * kBlockRows + i % kBlockRows;
    const V value = gated<kGate>(d, hn::LoadU(d, gates), hn::LoadU(d, gates + kBlockRows));
    store_first(value, d, out + i, count - i);
  }
}
void gate_blocks(Gate gate, const float* raw, float* out, size_t count) {
  switch (gate) {
    case Gate::kSilu: return gate_all_blocks<Gate::kSilu>(raw, out, count);
    case Gate::kGelu: return gate_all_blocks<Gate::kGelu>(raw, out, count);
    case Gate::kGeluTanh: return gate_all_blocks<Gate::kGeluTanh>(raw, out, count);
    case Gate::kNone: return;
  }
}

void cap_row(float* x, float cap, size_t count) {
  const D d;
  const V factor = hn::Set(d, cap), inverse = hn::Set(d, 1.0f / cap);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const V value = load_first(d, x + i, count - i);
    store_first(hn::Mul(factor, vector_tanh(d, hn::Mul(value, inverse))), d, x + i, count - i);
  }
}

// Floats add up few at a time, so that a sum over a large vocabulary keeps its places.
double exponential_row(const float* x, float largest, float factor, size_t count, float* out) {
  const D d;
  constexpr size_t kPiece = 1024;
  double total = 0;
  for (size_t first = 0; first < count; first += kPiece) {
    const size_t end = std::min(count, first + kPiece);
    V sum = hn::Zero(d);
    for (size_t i = first; i < end; i += hn::Lanes(d)) {
      const V centred = hn::Sub(load_first(d, x + i, end - i), hn::Set(d, largest));
      const V value = vector_exp(d, hn::Mul(centred, hn::Set(d, factor)));
      store_first(value, d, out + i, end - i);
      sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(d, end - i), value));
    }
    total += hn::GetLane(hn::SumOfLanes(d, sum));
  }
  return total;
}

void rope_halves(float* x, size_t heads, size_t head_size, const float* cosines, const float* sines,
                 size_t pairs) {
  const D d;
  for (size_t h = 0; h < heads; ++h) {
    float* low = x + h * head_size;
    float* high = low + pairs;
    for (size_t i = 0; i < pairs; i += hn::Lanes(d)) {
      const size_t valid = pairs - i;
      const V c = load_first(d, cosines + i, valid), s = load_first(d, sines + i, valid);
      const V a = load_first(d, low + i, valid), b = load_first(d, high + i, valid);
      store_first(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, low + i, valid);
      store_first(hn::MulAdd(a, s, hn::Mul(b, c)), d, high + i, valid);
    }
  }
}

void rope_pairs(float* x, size_t heads, size_t head_size, const float* cosines, const float* sines,
                size_t pairs) {
  const D d;
  for (size_t h = 0; h < heads; ++h, x += head_size) {
    size_t i = 0;
    for (; i + kLanes <= pairs; i += kLanes) {
      V a, b;
      hn::LoadInterleaved2(d, x + 2 * i, a, b);
      const V c = hn::LoadU(d, cosines + i), s = hn::LoadU(d, sines + i);
      hn::StoreInterleaved2(hn::NegMulAdd(b, s, hn::Mul(a, c)), hn::MulAdd(a, s, hn::Mul(b, c)), d,
                            x + 2 * i);
    }
    for (; i < pairs; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1];
      x[2 * i] = std::fma(-b, sines[i], a * cosines[i]);
      x[2 * i + 1] = std::fma(a, sines[i], b * cosines[i]);
    }
  }
}

#if HWY_TARGET == HWY_SCALAR

// A group of 32 inputs to int8.
void int8_row(const float* x, size_t columns, const Int8Row& row) {
  int8_t* values = row.values;
  for (size_t g = 0; g < columns / 32; ++g, x += 32, values += 32 * row.step) {
    const size_t at = g * row.step;
    float most = 0;
    for (size_t i = 0; i < 32; ++i) most = std::max(most, std::abs(x[i]));
    const float inverse = most == 0 ? 0.0f : 127.0f / most;
    int32_t sum = 0;
    for (size_t i = 0; i < 32; ++i) {
      const float scaled = x[i] * inverse;
      // What is no number, or so small that its inverse is infinite, has no integer: it is 0.
      values[i] = std::abs(scaled) <= 128 ? static_cast<int8_t>(std::lrint(scaled)) : int8_t{0};
      sum += values[i];
      if (i == 15) row.half_sums[at] = sum;
    }
    row.sums[at] = sum;
    row.starts[at] = -row.offset * sum;
    row.scales[at] = most / 127.0f;
  }
}

#else

struct Larger {
  template <class Vector>
  HWY_INLINE Vector operator()(Vector a, Vector b) const {
    return hn::Max(a, b);
  }
};
struct Plus {
  template <class Vector>
  HWY_INLINE Vector operator()(Vector a, Vector b) const {
    return hn::Add(a, b);
  }
};

template <class Tag, class Operation>
HWY_INLINE auto fold_blocks(Tag /*lanes*/, hn::Vec<Tag> v, Operation operation) {
  if constexpr (hn::MaxLanes(Tag()) <= 4) {
    return v;
  } else {
    const hn::Half<Tag> half;
    return fold_blocks(half, operation(hn::LowerHalf(half, v), hn::UpperHalf(half, v)), operation);
  }
}
// Folds the lanes of four vectors of 32-bit values into the four lanes of one.
template <class Tag, class Operation>
HWY_INLINE auto fold_four(Tag d, const hn::Vec<Tag> (&v)[4], Operation operation) {
  const hn::RepartitionToWide<Tag> wide;
  const auto pairs = [&](hn::Vec<Tag> a, hn::Vec<Tag> b) HWY_ATTR {
    const auto folded = operation(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
    return hn::BitCast(wide, folded);
  };
  const auto first = pairs(v[0], v[1]), second = pairs(v[2], v[3]);
  const auto low = hn::BitCast(d, hn::InterleaveLower(wide, first, second));
  const auto high = hn::BitCast(d, hn::InterleaveUpper(wide, first, second));
  return fold_blocks(d, operation(low, high), operation);
}

// Four lanes, each `step` places after the one before.
template <class Tag, class T>
HWY_INLINE void store_apart(Tag four, hn::Vec<Tag> lanes, T* to, size_t step) {
  if (step == 1) return hn::StoreU(lanes, four, to);
  HWY_ALIGN T values[4];
  hn::Store(lanes, four, values);
  for (size_t i = 0; i < 4; ++i) to[i * step] = values[i];
}

// Four groups of 32 inputs to int8, so that their lanes are folded together.
void int8_row(const float* x, size_t columns, const Int8Row& row) {
  int8_t* values = row.values;
  const size_t step = row.step;
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<int8_t, D> d8;
  const hn::CappedTag<float, 4> four;
  const hn::CappedTag<int32_t, 4> four_integers;
  const V zero = hn::Zero(d);
  for (size_t g = 0; g < columns / 32; g += 4, x += 128, values += 128 * step) {
    V largest[4] = {zero, zero, zero, zero};
    for (size_t i = 0; i < 128; i += kLanes) {
      largest[i / 32] = hn::Max(largest[i / 32], hn::Abs(hn::LoadU(d, x + i)));
    }
    const auto most = fold_four(d, largest, Larger());
    const auto inverse =
        hn::IfThenElseZero(hn::Gt(most, hn::Zero(four)), hn::Div(hn::Set(four, 127.0f), most));
    store_apart(four, hn::Div(most, hn::Set(four, 127.0f)), row.scales + g * step, step);
    HWY_ALIGN float inverses[4];
    hn::Store(inverse, four, inverses);
    const auto none = hn::Zero(di);
    hn::Vec<decltype(di)> half[4] = {none, none, none, none}, sum[4] = {none, none, none, none};
    for (size_t i = 0; i < 128; i += kLanes) {
      const V scaled = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, inverses[i / 32]));
      // What is no number, or so small that its inverse is infinite, has no integer: it is 0.
      const auto fits = hn::Le(hn::Abs(scaled), hn::Set(d, 128.0f));
      const auto rounded = hn::NearestInt(hn::IfThenElseZero(fits, scaled));
      sum[i / 32] = hn::Add(sum[i / 32], rounded);
      if (i % 32 < 16) half[i / 32] = hn::Add(half[i / 32], rounded);
      hn::StoreU(hn::DemoteTo(d8, rounded), d8, values + i / 32 * 32 * step + i % 32);
    }
    const auto sums = fold_four(di, sum, Plus());
    const auto starts = hn::Mul(sums, hn::Set(four_integers, -row.offset));
    store_apart(four_integers, sums, row.sums + g * step, step);
    store_apart(four_integers, starts, row.starts + g * step, step);
    store_apart(four_integers, fold_four(di, half, Plus()), row.half_sums + g * step, step);
  }
}

#endif

// fp32 to bf16, to nearest even.
void bf16_row(const float* x, size_t columns, size_t slice_step, uint16_t* tile) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint16_t, D> d16;
  const auto bias = hn::Set(du, 0x7fff), one = hn::Set(du, 1);
  for (size_t k = 0; k < columns; k += hn::Lanes(d)) {
    const auto bits = hn::BitCast(du, hn::LoadU(d, x + k));
    const auto even = hn::And(hn::ShiftRight<16>(bits), one);
    const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, bias), even));
    const size_t in_slice = k % kSliceColumns;
    uint16_t* to = tile + k / kSliceColumns * slice_step +
                   in_slice / kTileColumns * kTileRows * kTileColumns + in_slice % kTileColumns;
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, rounded)), d16, to);
  }
}

void finish_plain(const float* raw, const float* bias, float scale, const float* residual,
                  float* out, size_t count) {
  const D d;
  const V factor = hn::Set(d, scale);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const size_t valid = count - i;
    V value = load_first(d, raw + i, valid);
    if (bias != nullptr) value = hn::Add(value, load_first(d, bias + i, valid));
    value = hn::Mul(value, factor);
    if (residual != nullptr) value = hn::Add(value, load_first(d, residual + i, valid));
    store_first(value, d, out + i, valid);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright::language
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright::language {

HWY_EXPORT(norm_row);
HWY_EXPORT(gate_row);
HWY_EXPORT(gate_blocks);
HWY_EXPORT(cap_row);
HWY_EXPORT(exponential_row);
HWY_EXPORT(rope_halves);
HWY_EXPORT(rope_pairs);
HWY_EXPORT(int8_row);
HWY_EXPORT(bf16_row);
HWY_EXPORT(finish_plain);

void rms_norm(const float* x, const float* weight, float epsilon, size_t count, float* out,
              const float* residual) {
  HWY_DYNAMIC_DISPATCH(norm_row)(x, weight, epsilon, count, out, residual);
}
void rms_norm_heads(float* x, const float* weight, float epsilon, size_t heads, size_t head_size) {
  for (size_t h = 0; h < heads; ++h, x += head_size) {
    rms_norm(x, weight, epsilon, head_size, x);
  }
}
void gate_rows(Gate gate, const float* gates, const float* ups, float* out, size_t count) {
  HWY_DYNAMIC_DISPATCH(gate_row)(gate, gates, ups, out, count);
}
void soft_cap(float* x, float cap, size_t count) { HWY_DYNAMIC_DISPATCH(cap_row)(x, cap, count); }
double exponentials(const float* x, float largest, float factor, size_t count, float* out) {
  return HWY_DYNAMIC_DISPATCH(exponential_row)(x, largest, factor, count, out);
}

void rope(float* x, size_t heads, size_t head_size, const float* cosines, const float* sines,
          size_t pairs, RopeStyle style) {
  if (style == RopeStyle::kHalves) {
    HWY_DYNAMIC_DISPATCH(rope_halves)(x, heads, head_size, cosines, sines, pairs);
    return;
  }
  HWY_DYNAMIC_DISPATCH(rope_pairs)(x, heads, head_size, cosines, sines, pairs);
}

void encode_int8(const float* x, size_t columns, const Int8Row& row) {
  HWY_DYNAMIC_DISPATCH(int8_row)(x, columns, row);
}

void encode_tile_row(const float* x, size_t columns, size_t slice_step, uint16_t* tile) {
  HWY_DYNAMIC_DISPATCH(bf16_row)(x, columns, slice_step, tile);
}

void finish_row(const LinearCall& call, const float* raw, size_t first_row, size_t block_count,
                const float* residual, float* output) {
  if (call.gate == Gate::kNone) {
    const size_t count = std::min(block_count * kBlockRows, call.weights.rows - first_row);
    HWY_DYNAMIC_DISPATCH(finish_plain)
    (raw, call.bias == nullptr ? nullptr : call.bias + first_row, call.scale,
     residual == nullptr ? nullptr : residual + first_row, output + first_row, count);
    return;
  }
  const size_t at = first_row / 2;
  const size_t count = std::min(block_count / 2 * kBlockRows, call.gated_rows - at);
  HWY_DYNAMIC_DISPATCH(gate_blocks)(call.gate, raw, output + at, count);
  if (call.scale == 1.0f && residual == nullptr) return;
  for (size_t i = at; i < at + count; ++i) {
    output[i] = output[i] * call.scale + (residual == nullptr ? 0 : residual[i]);
  }
}

}  // namespace edgewright::language
#endif
