#include <algorithm>
#include <cstring>

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer/finish_sums_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/integer/bytes-inl.h"
#include "kernels/integer/requantise.h"

#ifndef EDGEWRIGHT_KERNELS_INTEGER_FINISH_BLOCK_
#define EDGEWRIGHT_KERNELS_INTEGER_FINISH_BLOCK_
namespace edgewright {

struct FinishBlock {
  const int32_t* sums;
  ptrdiff_t step;
  const int32_t* rows;
  size_t row_count;
  size_t first_column, columns;
};

}  // namespace edgewright
#endif

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = FloatTag;
using V = FloatVector;
constexpr size_t kLanes = kFloatLanes;

struct None {};  // no residual

bool has_gate() { return HWY_TARGET == HWY_AVX3_DL; }

// x times its gate; vectors of 16 lanes hold one coefficient of every part.
HWY_INLINE V apply_gate(const Gate& gate, V x) {
#if HWY_TARGET == HWY_AVX3_DL
  const D d;
  const hn::Rebind<int32_t, D> words;
  const float per_unit = static_cast<float>(Gate::kParts) / (2 * gate.range);
  V place = hn::MulAdd(x, hn::Set(d, per_unit), hn::Set(d, gate.range * per_unit));
  place = hn::Min(hn::Max(place, hn::Zero(d)), hn::Set(d, Gate::kParts - 0.001f));
  const V whole = hn::Floor(place);
  const V u = hn::Sub(hn::Sub(place, whole), hn::Set(d, 0.5f));
  const auto part = hn::IndicesFromVec(d, hn::ConvertTo(words, whole));
  V value = hn::TableLookupLanes(hn::Load(d, gate.coefficients[0]), part);
#pragma GCC unroll 4
  for (int i = 1; i < Gate::kCoefficients; ++i) {
    value = hn::MulAdd(value, u, hn::TableLookupLanes(hn::Load(d, gate.coefficients[i]), part));
  }
  return hn::Mul(x, value);
#else
  static_cast<void>(gate);
  return x;
#endif
}

// The range of what an output holds, for values that no clamp has bounded.
template <class T>
HWY_INLINE V in_range(V value) {
  const D d;
  if constexpr (std::is_same_v<T, float>) return value;
  constexpr float kLow = std::is_same_v<T, int8_t> ? -128.0f : 0.0f;
  return hn::Min(hn::Set(d, kLow + 255.0f), hn::Max(hn::Set(d, kLow), value));
}

// One vector of columns over all rows. kMore: the rarer parts of a Finish.
template <class Out, class Residual, bool kMore>
HWY_INLINE void finish_vector(const Finish& f, const FinishBlock& block, size_t column) {
  const D d;
  const hn::Rebind<int32_t, D> words;
  const size_t count = block.columns - column;
  const size_t place = block.first_column + column;
  const V scale = hn::LoadU(d, f.scale + place), bias = hn::LoadU(d, f.bias + place);
  const V low = hn::Set(d, f.low), high = hn::Set(d, f.high);
  const V residual_scale = hn::Set(d, f.residual_scale);
  Out* const out = static_cast<Out*>(f.out) + place;
  for (size_t i = 0; i < block.row_count; ++i) {
    const ptrdiff_t row = block.rows[i];
    if (row < 0) continue;
    const int32_t* const sums = block.sums + static_cast<ptrdiff_t>(i) * block.step;
    V value = hn::MulAdd(hn::ConvertTo(d, hn::LoadU(words, sums + column)), scale, bias);
    if constexpr (kMore) {
      if (f.round_product) {
        value = hn::Min(hn::Max(hn::Round(value), hn::Set(d, f.product_low)),
                        hn::Set(d, f.product_high));
        value = hn::MulAdd(value, hn::Set(d, f.product_scale), hn::Set(d, f.product_offset));
      }
    }
    if constexpr (!std::is_same_v<Residual, None>) {
      const Residual* const residual = static_cast<const Residual*>(f.residual) + place + row;
      value = hn::MulAdd(load_real(residual, count), residual_scale, value);
    }
    value = hn::Min(high, hn::Max(low, value));
    if constexpr (kMore) {
      if (f.gate) value = apply_gate(*f.gate, value);
      if (f.out_float) store_in_range(value, f.out_float + place + row, count);
      if (f.rescale) value = hn::MulAdd(value, hn::Set(d, f.out_scale), hn::Set(d, f.out_offset));
      value = in_range<Out>(value);
    }
    store_in_range(value, out + row, count);
  }
}

template <class Out, class Residual, bool kMore>
void finish_block(const Finish& f, const FinishBlock& block) {
  for (size_t column = 0; column < block.columns; column += kLanes) {
    finish_vector<Out, Residual, kMore>(f, block, column);
  }
}

template <class Out, class Residual>
void choose_more(const Finish& f, const FinishBlock& block) {
  const bool more = f.round_product || f.rescale || f.out_float != nullptr;
  more ? finish_block<Out, Residual, true>(f, block) : finish_block<Out, Residual, false>(f, block);
}

template <class Out>
void choose_residual(const Finish& f, const FinishBlock& block) {
  switch (f.residual_type) {
    case DType::kUint8: return choose_more<Out, uint8_t>(f, block);
    case DType::kInt8: return choose_more<Out, int8_t>(f, block);
    case DType::kFloat32: return choose_more<Out, float>(f, block);
    default: return choose_more<Out, None>(f, block);
  }
}

void finish_all(const Finish& f, const FinishBlock& block) {
  switch (f.out_type) {
    case DType::kUint8: return choose_residual<uint8_t>(f, block);
    case DType::kInt8: return choose_residual<int8_t>(f, block);
    default: return choose_residual<float>(f, block);
  }
}

// Real values in place of sums, made narrow.
template <class Out>
HWY_INLINE void narrow_as(const Finish& f, const float* values, const FinishBlock& block) {
  const D d;
  const V scale = hn::Set(d, f.out_scale), offset = hn::Set(d, f.out_offset);
  Out* const out = static_cast<Out*>(f.out) + block.first_column;
  for (size_t i = 0; i < block.row_count; ++i) {
    if (block.rows[i] < 0) continue;
    for (size_t column = 0; column < block.columns; column += kLanes) {
      const V value = hn::LoadU(d, values + static_cast<ptrdiff_t>(i) * block.step + column);
      store_in_range(in_range<Out>(hn::MulAdd(value, scale, offset)), out + block.rows[i] + column,
                     block.columns - column);
    }
  }
}

void narrow(const Finish& f, const float* values, const FinishBlock& block) {
  switch (f.out_type) {
    case DType::kUint8: return narrow_as<uint8_t>(f, values, block);
    case DType::kInt8: return narrow_as<int8_t>(f, values, block);
    default: return narrow_as<float>(f, values, block);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {
namespace {

HWY_EXPORT(finish_all);
HWY_EXPORT(narrow);
HWY_EXPORT(has_gate);

// Rows of at most 64 columns and 32 rows.
constexpr size_t kMaxValues = 64 * 32;

}  // namespace

void finish_sums(const Finish& finish, const int32_t* sums, ptrdiff_t step, const int32_t* rows,
                 size_t row_count, size_t first_column, size_t columns) {
  // A gate would change the second output, which is to be exact.
  const bool gated =
      finish.gate != nullptr && finish.out_float == nullptr && HWY_DYNAMIC_DISPATCH(has_gate)();
  if (finish.epilogue.is_clamp() || gated) {
    return HWY_DYNAMIC_DISPATCH(finish_all)(finish,
                                            {sums, step, rows, row_count, first_column, columns});
  }
  // The activation works on floats in a buffer of its own.
  alignas(64) float values[kMaxValues + 16];
  const auto width = static_cast<int32_t>((columns + 15) / 16 * 16);
  int32_t inner_rows[32];
  for (size_t i = 0; i < row_count; ++i) inner_rows[i] = static_cast<int32_t>(i) * width;
  Finish inner = finish;
  inner.rescale = false;
  inner.gate = nullptr;
  inner.out_type = DType::kFloat32;
  inner.out = values - first_column;
  inner.out_float = nullptr;
  Finish outer = finish;
  if (!outer.rescale) outer.out_scale = 1, outer.out_offset = 0;
  if (finish.residual != nullptr) {
    // The residual lies where the output does, row by row.
    for (size_t i = 0; i < row_count; ++i) {
      if (rows[i] < 0) continue;
      Finish one = inner;
      one.out = static_cast<float*>(inner.out) + inner_rows[i] - rows[i];
      HWY_DYNAMIC_DISPATCH(finish_all)
      (one, {sums + static_cast<ptrdiff_t>(i) * step, step, rows + i, 1, first_column, columns});
    }
  } else {
    HWY_DYNAMIC_DISPATCH(finish_all)
    (inner, {sums, step, inner_rows, row_count, first_column, columns});
  }
  apply_activation(finish.epilogue, values, nullptr, row_count, columns, width);
  if (finish.out_float != nullptr) {
    for (size_t i = 0; i < row_count; ++i) {
      if (rows[i] < 0) continue;
      std::memcpy(finish.out_float + rows[i] + first_column, values + inner_rows[i],
                  columns * sizeof(float));
    }
  }
  HWY_DYNAMIC_DISPATCH(narrow)(outer, values,
                               {nullptr, width, rows, row_count, first_column, columns});
}

}  // namespace edgewright
#endif
