#include "kernels/sparse/sparse_tile.h"

#include <cstring>

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sparse/sparse_tile_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/clamp-inl.h"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());
constexpr int kMostVectors = 8;  // of positions at once

// Weights take turns on so many sets of sums, so that their additions do not wait for each other:
// eight chains keep two multipliers with a latency of four cycles busy.
template <int kVectors>
constexpr int kSets = kVectors >= 8   ? 1
                      : kVectors >= 4 ? 2
                                      : 4;

template <int kVectors>
HWY_INLINE void sum_output(const SparseTile& t, const float* x, size_t begin, size_t end,
                           float* sums) {
  const D d;
  constexpr int kChains = kSets<kVectors>;
  V acc[kChains][kVectors];
#pragma GCC unroll 4
  for (int s = 0; s < kChains; ++s) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      acc[s][v] =
          s == 0 && t.add ? hn::LoadU(d, sums + static_cast<size_t>(v) * kLanes) : hn::Zero(d);
    }
  }
  size_t i = begin;
  for (; i + kChains <= end; i += kChains) {
#pragma GCC unroll 4
    for (int s = 0; s < kChains; ++s) {
      const size_t at = i + static_cast<size_t>(s);
      const V weight = hn::Set(d, t.weights[at]);
      const float* const from = x + t.offsets[at];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const V value = hn::LoadU(d, from + static_cast<size_t>(v) * kLanes);
        acc[s][v] = hn::MulAdd(weight, value, acc[s][v]);
      }
    }
  }
  for (; i < end; ++i) {
    const V weight = hn::Set(d, t.weights[i]);
    const float* const from = x + t.offsets[i];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const V value = hn::LoadU(d, from + static_cast<size_t>(v) * kLanes);
      acc[0][v] = hn::MulAdd(weight, value, acc[0][v]);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    V sum = acc[0][v];
#pragma GCC unroll 4
    for (int s = 1; s < kChains; ++s) sum = hn::Add(sum, acc[s][v]);
    hn::StoreU(sum, d, sums + static_cast<size_t>(v) * kLanes);
  }
}

template <int kVectors>
HWY_NOINLINE void sum_outputs(const SparseTile& t, size_t first) {
  for (size_t o = 0; o < t.outputs; ++o) {
    sum_output<kVectors>(t, t.x + first, t.begins[o], t.begins[o + 1],
                         t.sums + static_cast<ptrdiff_t>(o) * t.step + first);
  }
}

void sums(const SparseTile& t) {
  using Function = void (*)(const SparseTile&, size_t);
  static constexpr Function kFunctions[kMostVectors + 1] = {
      nullptr,        sum_outputs<1>, sum_outputs<2>, sum_outputs<3>, sum_outputs<4>,
      sum_outputs<5>, sum_outputs<6>, sum_outputs<7>, sum_outputs<8>};
  const size_t vectors = (t.positions + kLanes - 1) / kLanes;
  for (size_t v = 0; v < vectors; v += kMostVectors) {
    kFunctions[HWY_MIN(vectors - v, size_t{kMostVectors})](t, v * kLanes);
  }
}

void dots(const SparseTile& t, ptrdiff_t x_step) {
  const D d;
  const hn::RebindToSigned<D> indices;
  for (size_t o = 0; o < t.outputs; ++o) {
    for (size_t p = 0; p < t.positions; ++p) {
      const float* const x = t.x + static_cast<ptrdiff_t>(p) * x_step;
      V a = hn::Zero(d), b = hn::Zero(d);
      size_t i = t.begins[o];
      const size_t end = t.begins[o + 1];
      for (; i + 2 * kLanes <= end; i += 2 * kLanes) {
        const size_t j = i + kLanes;
        a = hn::MulAdd(hn::LoadU(d, t.weights + i),
                       hn::GatherIndex(d, x, hn::LoadU(indices, t.offsets + i)), a);
        b = hn::MulAdd(hn::LoadU(d, t.weights + j),
                       hn::GatherIndex(d, x, hn::LoadU(indices, t.offsets + j)), b);
      }
      float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
      for (; i < end; ++i) sum += t.weights[i] * x[t.offsets[i]];
      float& place = t.sums[static_cast<ptrdiff_t>(o) * t.step + static_cast<ptrdiff_t>(p)];
      place = t.add ? place + sum : sum;
    }
  }
}

void transpose_scalar(const float* from, ptrdiff_t from_step, size_t rows, size_t columns,
                      float* to, ptrdiff_t to_step) {
  for (size_t r = 0; r < rows; ++r, from += from_step) {
    for (size_t c = 0; c < columns; ++c) {
      std::memcpy(to + static_cast<ptrdiff_t>(c) * to_step + r, from + c, sizeof(float));
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
// Four rows of a vector: within every 128-bit block, value i of the rows side by side.
HWY_INLINE void transpose_four(const float* from, ptrdiff_t from_step, float* to,
                               ptrdiff_t to_step) {
  const D d;
  const hn::Repartition<uint64_t, D> pairs;
  const V a = hn::LoadU(d, from), b = hn::LoadU(d, from + from_step);
  const V c = hn::LoadU(d, from + 2 * from_step), e = hn::LoadU(d, from + 3 * from_step);
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(d, a, b));
  const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
  const auto ce_low = hn::BitCast(pairs, hn::InterleaveLower(d, c, e));
  const auto ce_high = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  HWY_ALIGN float lanes[4][kLanes];
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab_low, ce_low)), d, lanes[0]);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_low, ce_low)), d, lanes[1]);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab_high, ce_high)), d, lanes[2]);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_high, ce_high)), d, lanes[3]);
  for (size_t block = 0; block < kLanes / 4; ++block) {
    for (size_t i = 0; i < 4; ++i) {
      const auto column = static_cast<ptrdiff_t>(4 * block + i);
      std::memcpy(to + column * to_step, lanes[i] + 4 * block, 16);
    }
  }
}
#endif

void transpose(const float* from, ptrdiff_t from_step, size_t rows, size_t columns, float* to,
               ptrdiff_t to_step) {
  size_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; r + 4 <= rows; r += 4) {
    const float* const source = from + static_cast<ptrdiff_t>(r) * from_step;
    size_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) {
      transpose_four(source + c, from_step, to + static_cast<ptrdiff_t>(c) * to_step + r, to_step);
    }
    transpose_scalar(source + c, from_step, 4, columns - c,
                     to + static_cast<ptrdiff_t>(c) * to_step + r, to_step);
  }
#endif
  transpose_scalar(from + static_cast<ptrdiff_t>(r) * from_step, from_step, rows - r, columns,
                   to + r, to_step);
}

// Bias, residual and clamp.
void finish_with_clamp(const float* values, ptrdiff_t values_step, size_t rows,
                       const Epilogue& epilogue, const RowFinish& f) {
  const D d;
  const V low = hn::Set(d, epilogue.low()), high = hn::Set(d, epilogue.high());
  const bool first = epilogue.residual_before_activation;
  for (size_t c = 0; c < f.columns; c += kLanes) {
    const size_t valid = f.columns - c;
    const V bias = f.bias != nullptr ? hn::LoadU(d, f.bias + c) : hn::Zero(d);
    for (size_t r = 0; r < rows; ++r) {
      const ptrdiff_t at = static_cast<ptrdiff_t>(r) * f.step + static_cast<ptrdiff_t>(c);
      const float* const from = values + static_cast<ptrdiff_t>(r) * values_step + c;
      V value = hn::Add(hn::LoadU(d, from), bias);
      const V residual =
          f.residual != nullptr ? load_first(d, f.residual + at, valid) : hn::Zero(d);
      if (first) value = hn::Add(value, residual);
      value = clamped(low, high, value);
      if (!first) value = hn::Add(value, residual);
      store_first(value, d, f.out + at, valid);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(sums);
HWY_EXPORT(dots);
HWY_EXPORT(transpose);
HWY_EXPORT(finish_with_clamp);

void sparse_sums(const SparseTile& tile) { HWY_DYNAMIC_DISPATCH(sums)(tile); }

void sparse_dots(const SparseTile& tile, ptrdiff_t x_step) {
  HWY_DYNAMIC_DISPATCH(dots)(tile, x_step);
}

void transpose_words(const void* from, ptrdiff_t from_step, size_t rows, size_t columns, void* to,
                     ptrdiff_t to_step) {
  // Loads, stores and copies that keep the bits and may look at memory of any type.
  HWY_DYNAMIC_DISPATCH(transpose)
  (static_cast<const float*>(from), from_step, rows, columns, static_cast<float*>(to), to_step);
}

void finish_rows(const float* values, ptrdiff_t values_step, size_t rows, const Epilogue& epilogue,
                 const RowFinish& finish) {
  RowFinish first = finish;
  // Other activations than clamps take a pass of their own; a residual behind them goes with it.
  const bool late = !epilogue.is_clamp() && !epilogue.residual_before_activation;
  if (late) first.residual = nullptr;
  HWY_DYNAMIC_DISPATCH(finish_with_clamp)(values, values_step, rows, epilogue, first);
  if (epilogue.is_clamp()) return;
  apply_activation(epilogue, finish.out, late ? finish.residual : nullptr, rows, finish.columns,
                   finish.step);
}

void finish_columns(const float* sums, ptrdiff_t sums_step, size_t rows, const Epilogue& epilogue,
                    const RowFinish& finish) {
  alignas(64) float turned[kSparsePositions * 16];
  transpose_words(sums, sums_step, 16, rows, turned, 16);
  finish_rows(turned, 16, rows, epilogue, finish);
}

}  // namespace edgewright
#endif
