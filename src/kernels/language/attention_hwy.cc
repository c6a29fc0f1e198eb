#include <algorithm>
#include <limits>

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/language/attention_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/language/attention_block.h"
#include "kernels/language/cache_layout.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright::language {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using edgewright::HWY_NAMESPACE::vector_exp;
using edgewright::HWY_NAMESPACE::vector_tanh;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());
// Lines that share a load of keys or values, and vectors that share a line's factor: as many sums
// as fit the registers, and with few lines enough of them to hide the latency of an addition.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
constexpr size_t kShared = 8;
constexpr size_t vectors_beside(size_t lines) { return lines <= 2 && kLanes == kKeyTile ? 4 : 2; }
#else
constexpr size_t kShared = 4;
constexpr size_t vectors_beside(size_t lines) { return kLanes == 8 && lines <= 2 ? 2 : 1; }
#endif

template <CacheType kType>
HWY_INLINE V load_cached(D d, const std::byte* from, size_t place) {
  if constexpr (kType == CacheType::kF32) {
    return hn::LoadU(d, reinterpret_cast<const float*>(from) + place);
  } else if constexpr (kType == CacheType::kF16) {
    const hn::Rebind<hwy::float16_t, D> d16;
    const auto* halves = reinterpret_cast<const hwy::float16_t*>(from) + place;
    return hn::PromoteTo(d, hn::LoadU(d16, halves));
  } else {
    const hn::Rebind<int8_t, D> d8;
    const hn::RebindToSigned<D> di;
    const auto* integers = reinterpret_cast<const int8_t*>(from) + place;
    return hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, integers)));
  }
}

// Scores of kCount lines against kVectors vectors of keys, which lie `vector_step` values apart;
// scales of the keys at `scales`, where the cache has them.
template <CacheType kType, size_t kVectors, size_t kCount>
HWY_INLINE void score_lines(const AttentionBlock& block, size_t line, const std::byte* keys,
                            size_t place, size_t vector_step, const float* scales, float* scores) {
  const D d;
  const size_t size = block.head_size;
  const float* query = block.queries + line * size;
  V sum[kCount][kVectors];
#pragma GCC unroll 16
  for (size_t l = 0; l < kCount; ++l) {
    for (size_t v = 0; v < kVectors; ++v) sum[l][v] = hn::Zero(d);
  }
  for (size_t i = 0; i < size; ++i) {
    V key[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      key[v] = load_cached<kType>(d, keys, place + v * vector_step + i * kKeyTile);
    }
#pragma GCC unroll 8
    for (size_t l = 0; l < kCount; ++l) {
      const V value = hn::Set(d, query[l * size + i]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sum[l][v] = hn::MulAdd(value, key[v], sum[l][v]);
    }
  }
#pragma GCC unroll 8
  for (size_t l = 0; l < kCount; ++l) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      V score = sum[l][v];
      if constexpr (kType == CacheType::kInt8) {
        score = hn::Mul(score, hn::LoadU(d, scales + v * kLanes));
      }
      if (block.soft_cap != 0) {
        const V cap = hn::Set(d, block.soft_cap);
        score = hn::Mul(cap, vector_tanh(d, hn::Div(score, cap)));
      }
      hn::StoreU(score, d, scores + (line + l) * kKeyBlock + v * kLanes);
    }
  }
}

// sum[line][value] += weight[line][token] * value[token] over the tokens of a block, for kVectors
// vectors of values from `i` on.
template <CacheType kType, size_t kVectors, size_t kCount>
HWY_INLINE void add_values(const AttentionBlock& block, size_t line, size_t i,
                           const std::byte* values, size_t first, size_t tokens,
                           const float* weights) {
  const D d;
  const size_t size = block.head_size;
  float* out = block.sums + line * size + i;
  V sum[kCount][kVectors];
#pragma GCC unroll 8
  for (size_t l = 0; l < kCount; ++l) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) sum[l][v] = hn::LoadU(d, out + l * size + v * kLanes);
  }
  for (size_t t = 0; t < tokens; ++t) {
    V value[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      value[v] = load_cached<kType>(d, values, (first + t) * size + i + v * kLanes);
    }
#pragma GCC unroll 8
    for (size_t l = 0; l < kCount; ++l) {
      const V weight = hn::Set(d, weights[(line + l) * kKeyBlock + t]);
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; ++v) sum[l][v] = hn::MulAdd(weight, value[v], sum[l][v]);
    }
  }
#pragma GCC unroll 8
  for (size_t l = 0; l < kCount; ++l) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sum[l][v], d, out + l * size + v * kLanes);
  }
}

// Calls call(line, count as a constant) for runs of at most kShared lines.
template <size_t kCount, class Call>
HWY_INLINE void for_line_runs(size_t line, size_t lines, Call call) {
  if constexpr (kCount > 0) {
    while (lines - line >= kCount) {
      call(line, std::integral_constant<size_t, kCount>());
      line += kCount;
    }
    if (line < lines) for_line_runs<kCount / 2>(line, lines, call);
  }
}

// Scores of a line become weights: exp(score - running maximum), zero where the line does not look.
// What was summed before shrinks where the maximum grew.
template <CacheType kType>
HWY_INLINE void weigh_line(const AttentionBlock& block, size_t line, size_t first_token,
                           size_t tokens, const float* value_scales, float* scores) {
  const D d;
  const hn::RebindToSigned<D> di;
  const V lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  const auto begin = static_cast<int32_t>(std::max(block.begins[line], first_token) - first_token);
  const size_t end_token = std::min(block.ends[line], first_token + tokens);
  const auto end = static_cast<int32_t>(std::max(end_token, first_token) - first_token);
  float* weights = scores + line * kKeyBlock;
  const auto looks = [&](size_t t) {
    const auto at = hn::Iota(di, static_cast<int32_t>(t));
    const auto inside = hn::And(hn::Gt(at, hn::Set(di, begin - 1)), hn::Lt(at, hn::Set(di, end)));
    return hn::RebindMask(d, inside);
  };
  V highest = lowest;
  for (size_t t = 0; t < tokens; t += kLanes) {
    highest = hn::Max(highest, hn::IfThenElse(looks(t), hn::LoadU(d, weights + t), lowest));
  }
  const float before = block.maxima[line];
  const float maximum = std::max(before, hn::GetLane(hn::MaxOfLanes(d, highest)));
  if (end <= begin) {
    std::fill_n(weights, kKeyBlock, 0.0f);
    return;
  }
  const V shift = hn::Set(d, maximum);
  V total = hn::Zero(d);
  for (size_t t = 0; t < tokens; t += kLanes) {
    const V raised = vector_exp(d, hn::Sub(hn::LoadU(d, weights + t), shift));
    V weight = hn::IfThenElseZero(looks(t), raised);
    total = hn::Add(total, weight);
    if constexpr (kType == CacheType::kInt8) {
      const V scaled = hn::Mul(weight, hn::LoadU(d, value_scales + t));
      weight = hn::IfThenElseZero(looks(t), scaled);
    }
    hn::StoreU(weight, d, weights + t);
  }
  block.maxima[line] = maximum;
  const float sum = hn::GetLane(hn::SumOfLanes(d, total));
  if (maximum == before) {
    block.totals[line] += sum;
    return;
  }
  const V shrink = vector_exp(d, hn::Set(d, before - maximum));
  block.totals[line] = block.totals[line] * hn::GetLane(shrink) + sum;
  float* sums = block.sums + line * block.head_size;
  for (size_t i = 0; i < block.head_size; i += kLanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, sums + i), shrink), d, sums + i);
  }
}

// Scores of the tokens [t, tokens) of a block, kVectors vectors of keys at a time, then fewer.
template <CacheType kType, size_t kVectors, size_t kCount>
HWY_INLINE void score_keys(const AttentionBlock& block, const HeadPage& page, size_t line, size_t t,
                           size_t first, size_t tokens) {
  // The next vector is in the next tile, where a vector is as long as one.
  const size_t step = kLanes == kKeyTile ? kKeyTile * block.head_size : kLanes;
  for (; t + (kVectors - 1) * kLanes < tokens; t += kVectors * kLanes) {
    const size_t token = first + t;
    const size_t place = token / kKeyTile * kKeyTile * block.head_size + token % kKeyTile;
    const float* scales = kType == CacheType::kInt8 ? page.key_scales + token : nullptr;
    score_lines<kType, kVectors, kCount>(block, line, page.keys, place, step, scales,
                                         block.scores + t);
  }
  if constexpr (kVectors > 1) {
    score_keys<kType, kVectors / 2, kCount>(block, page, line, t, first, tokens);
  }
}

// The values of all dimensions from `i` on, likewise.
template <CacheType kType, size_t kVectors, size_t kCount>
HWY_INLINE void sum_values(const AttentionBlock& block, const HeadPage& page, size_t line, size_t i,
                           size_t first, size_t tokens) {
  for (; i + kVectors * kLanes <= block.head_size; i += kVectors * kLanes) {
    add_values<kType, kVectors, kCount>(block, line, i, page.values, first, tokens, block.scores);
  }
  if constexpr (kVectors > 1) {
    sum_values<kType, kVectors / 2, kCount>(block, page, line, i, first, tokens);
  }
}

template <CacheType kType>
void attend_block_of(const AttentionBlock& block, const HeadPage& page, size_t first_token,
                     size_t first_in_page, size_t tokens) {
  for_line_runs<kShared>(0, block.lines, [&](size_t line, auto count) {
    score_keys<kType, vectors_beside(count()), count()>(block, page, line, 0, first_in_page,
                                                        tokens);
  });
  for (size_t line = 0; line < block.lines; ++line) {
    weigh_line<kType>(block, line, first_token, tokens, page.value_scales + first_in_page,
                      block.scores);
  }
  for_line_runs<kShared>(0, block.lines, [&](size_t line, auto count) {
    sum_values<kType, vectors_beside(count()), count()>(block, page, line, 0, first_in_page,
                                                        tokens);
  });
}

void attend_block(CacheType type, const AttentionBlock& block, const HeadPage& page,
                  size_t first_token, size_t first_in_page, size_t tokens) {
  switch (type) {
    case CacheType::kF16:
      return attend_block_of<CacheType::kF16>(block, page, first_token, first_in_page, tokens);
    case CacheType::kInt8:
      return attend_block_of<CacheType::kInt8>(block, page, first_token, first_in_page, tokens);
    case CacheType::kF32:
      return attend_block_of<CacheType::kF32>(block, page, first_token, first_in_page, tokens);
  }
}

void half_row(const float* x, size_t count, uint16_t* out, size_t stride) {
  const D d;
  const hn::Rebind<hwy::float16_t, D> d16;
  const hn::Rebind<uint16_t, D> d_bits;
  HWY_ALIGN uint16_t halves[kLanes];
  for (size_t i = 0; i < count; i += kLanes) {
    const auto narrow = hn::DemoteTo(d16, hn::LoadU(d, x + i));
    if (stride == 1) {
      hn::StoreU(narrow, d16, reinterpret_cast<hwy::float16_t*>(out + i));
      continue;
    }
    hn::Store(hn::BitCast(d_bits, narrow), d_bits, halves);
    for (size_t l = 0; l < kLanes; ++l) out[(i + l) * stride] = halves[l];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright::language
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright::language {

HWY_EXPORT(attend_block);
HWY_EXPORT(half_row);

void attend_to_block(CacheType type, const AttentionBlock& block, const HeadPage& page,
                     size_t first_token, size_t first_in_page, size_t tokens) {
  HWY_DYNAMIC_DISPATCH(attend_block)(type, block, page, first_token, first_in_page, tokens);
}
void float_to_half(const float* x, size_t count, uint16_t* out, size_t stride) {
  HWY_DYNAMIC_DISPATCH(half_row)(x, count, out, stride);
}

}  // namespace edgewright::language
#endif
