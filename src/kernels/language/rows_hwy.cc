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
using edgewright::HWY_NAMESPACE::vector_gelu;
using edgewright::HWY_NAMESPACE::vector_gelu_tanh;
using edgewright::HWY_NAMESPACE::vector_sigmoid;
using edgewright::HWY_NAMESPACE::vector_tanh;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

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

// A group of 32 inputs to int8.
void int8_row(const float* x, size_t columns, int8_t* values, float* scales, int32_t* sums,
              int32_t* half_sums) {
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<int8_t, D> d8;
  const size_t lanes = hn::Lanes(d);
  for (size_t g = 0; g < columns / 32; ++g, x += 32, values += 32) {
    V largest = hn::Zero(d);
    for (size_t i = 0; i < 32; i += lanes) largest = hn::Max(largest, hn::Abs(hn::LoadU(d, x + i)));
    const float most = hn::GetLane(hn::MaxOfLanes(d, largest));
    const V inverse = hn::Set(d, most == 0 ? 0.0f : 127.0f / most);
    auto half = hn::Zero(di), sum = hn::Zero(di);
    for (size_t i = 0; i < 32; i += lanes) {
      const auto rounded = hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), inverse));
      sum = hn::Add(sum, rounded);
      if (i < 16) half = hn::Add(half, rounded);
      hn::StoreU(hn::DemoteTo(d8, rounded), d8, values + i);
    }
    scales[g] = most / 127.0f;
    sums[g] = hn::GetLane(hn::SumOfLanes(di, sum));
    half_sums[g] = hn::GetLane(hn::SumOfLanes(di, half));
  }
}

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
HWY_EXPORT(rope_halves);
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

void rope(float* x, size_t heads, size_t head_size, const float* cosines, const float* sines,
          size_t pairs, RopeStyle style) {
  if (style == RopeStyle::kHalves) {
    HWY_DYNAMIC_DISPATCH(rope_halves)(x, heads, head_size, cosines, sines, pairs);
    return;
  }
  for (size_t h = 0; h < heads; ++h) {
    for (size_t i = 0; i < pairs; ++i) {
      float& a = x[h * head_size + 2 * i];
      float& b = x[h * head_size + 2 * i + 1];
      const float turned = a * cosines[i] - b * sines[i];
      b = a * sines[i] + b * cosines[i];
      a = turned;
    }
  }
}

void encode_int8(const float* x, size_t columns, int8_t* values, float* scales, int32_t* sums,
                 int32_t* half_sums) {
  HWY_DYNAMIC_DISPATCH(int8_row)(x, columns, values, scales, sums, half_sums);
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
