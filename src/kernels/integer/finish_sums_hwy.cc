#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer/finish_sums_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
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
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());

struct None {};  // no residual

// Elements of 8 or 32 bits as float; `count` below the lanes at the end of a row only.
template <class T>
HWY_INLINE V load_real(D d, const T* from, size_t count) {
  if constexpr (std::is_same_v<T, float>) {
    if (count >= kLanes) return hn::LoadU(d, from);
    HWY_ALIGN float lanes[kLanes] = {};
    std::memcpy(lanes, from, count * sizeof(float));
    return hn::Load(d, lanes);
  } else {
    const hn::Rebind<T, D> bytes;
    const hn::Rebind<int32_t, D> words;
    if (count >= kLanes) {
      return hn::ConvertTo(d, hn::PromoteTo(words, hn::LoadU(bytes, from)));
    }
    HWY_ALIGN T lanes[kLanes] = {};
    std::memcpy(lanes, from, count);
    return hn::ConvertTo(d, hn::PromoteTo(words, hn::Load(bytes, lanes)));
  }
}

template <class T>
HWY_INLINE void store_rounded(D d, V value, T* to, size_t count) {
  if constexpr (std::is_same_v<T, float>) {
    if (count >= kLanes) return hn::StoreU(value, d, to);
    HWY_ALIGN float lanes[kLanes];
    hn::Store(value, d, lanes);
    std::memcpy(to, lanes, count * sizeof(float));
  } else {
    const hn::Rebind<T, D> bytes;
    const auto narrow = hn::DemoteTo(bytes, hn::NearestInt(value));
    if (count >= kLanes) return hn::StoreU(narrow, bytes, to);
    HWY_ALIGN T lanes[kLanes];
    hn::Store(narrow, bytes, lanes);
    std::memcpy(to, lanes, count);
  }
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
      value = hn::MulAdd(load_real(d, residual, count), residual_scale, value);
    }
    value = hn::Min(high, hn::Max(low, value));
    if constexpr (kMore) {
      if (f.out_float) store_rounded(d, value, f.out_float + place + row, count);
      if (f.rescale) value = hn::MulAdd(value, hn::Set(d, f.out_scale), hn::Set(d, f.out_offset));
    }
    store_rounded(d, value, out + row, count);
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
      store_rounded(d, hn::MulAdd(value, scale, offset), out + block.rows[i] + column,
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

// Rows of at most 64 columns and 32 rows.
constexpr size_t kMaxValues = 64 * 32;

}  // namespace

void finish_sums(const Finish& finish, const int32_t* sums, ptrdiff_t step, const int32_t* rows,
                 size_t row_count, size_t first_column, size_t columns) {
  if (finish.epilogue.is_clamp()) {
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
