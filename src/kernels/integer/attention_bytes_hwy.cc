#include "kernels/integer/attention_bytes.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer/attention_bytes_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/integer/bytes-inl.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = FloatTag;
using V = FloatVector;
constexpr size_t kLanes = kFloatLanes;

// Factors of a rounding. Multiplying by 1 / scale instead of dividing may move what lies right
// between two integers: one unit.
template <class T>
struct Rounder {
  float per_unit;
  V zero, low, high;
  uint8_t flip;

  explicit Rounder(const ByteRounding& r)
      : per_unit(1.0f / r.scale), zero(hn::Set(D(), r.zero)), flip(r.flip) {
    const float lowest = std::is_same_v<T, int8_t> ? -128.0f : 0.0f;
    low = hn::Set(D(), lowest);
    high = hn::Set(D(), lowest + 255.0f);
  }

  // Whole numbers in the range of T.
  HWY_INLINE V whole(V value, V factor) const {
    const V moved = hn::Add(hn::Round(hn::Mul(value, factor)), zero);
    return hn::Min(high, hn::Max(low, moved));
  }
  HWY_INLINE void store(V whole, uint8_t* to, size_t count) const {
    // Flipping the highest bit moves by 128 to the other type.
    const V moved = flip == 0 ? whole : hn::Add(whole, hn::Set(D(), kMove));
    if (flip == 0 || std::is_same_v<T, uint8_t>) {
      if (flip == 0 && std::is_same_v<T, uint8_t>) return store_in_range(moved, to, count);
      return store_in_range(moved, reinterpret_cast<int8_t*>(to), count);
    }
    store_in_range(moved, to, count);
  }
  static constexpr float kMove = std::is_same_v<T, int8_t> ? 128.0f : -128.0f;
};

template <class T>
HWY_INLINE void round_as(const float* in, ptrdiff_t in_step, size_t rows, size_t size,
                         const ByteRounding& rounding, uint8_t* out, ptrdiff_t out_step) {
  const D d;
  const Rounder<T> rounder(rounding);
  const V factor = hn::Set(d, rounder.per_unit);
  for (size_t row = 0; row < rows; ++row, in += in_step, out += out_step) {
    for (size_t i = 0; i < size; i += kLanes) {
      const V whole = rounder.whole(load_real(in + i, size - i), factor);
      rounder.store(whole, out + i, size - i);
    }
  }
}

void round_all(const float* in, ptrdiff_t in_step, size_t rows, size_t size,
               const ByteRounding& rounding, uint8_t* out, ptrdiff_t out_step) {
  rounding.dtype == DType::kInt8
      ? round_as<int8_t>(in, in_step, rows, size, rounding, out, out_step)
      : round_as<uint8_t>(in, in_step, rows, size, rounding, out, out_step);
}

HWY_INLINE float maximum_of(const float* in, size_t count) {
  const D d;
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  V most = hn::Set(d, kLowest);
  for (size_t i = 0; i < count; i += kLanes) {
    most = hn::Max(most, load_real(in + i, count - i, kLowest));
  }
  return hn::GetLane(hn::MaxOfLanes(d, most));
}

// Rows are padded to whole vectors in memory, so that they may be written beyond `count`.
template <class T>
HWY_INLINE void softmax_as(float* scores, ptrdiff_t step, size_t rows, size_t count,
                           const ByteRounding& rounding, uint8_t* out, ptrdiff_t out_step,
                           int32_t* sums) {
  const D d;
  const Rounder<T> rounder(rounding);
  for (size_t row = 0; row < rows; ++row, scores += step, out += out_step) {
    const V most = hn::Set(d, maximum_of(scores, count));
    V sum = hn::Zero(d);
    for (size_t i = 0; i < count; i += kLanes) {
      const V value = vector_exp(d, hn::Sub(hn::LoadU(d, scores + i), most));
      const V valid = hn::IfThenElseZero(hn::FirstN(d, HWY_MIN(count - i, kLanes)), value);
      sum = hn::Add(sum, valid);
      hn::StoreU(valid, d, scores + i);
    }
    const V factor = hn::Set(d, rounder.per_unit / hn::GetLane(hn::SumOfLanes(d, sum)));
    V total = hn::Zero(d);
    for (size_t i = 0; i < count; i += kLanes) {
      const V whole = rounder.whole(hn::LoadU(d, scores + i), factor);
      rounder.store(whole, out + i, count - i);
      total = hn::Add(total, hn::IfThenElseZero(hn::FirstN(d, HWY_MIN(count - i, kLanes)), whole));
    }
    // As the unsigned bytes that they are now; sums of whole numbers below 2^24 are exact.
    const auto moved = rounding.flip == 0 ? 0 : 128 * static_cast<int32_t>(count);
    sums[row] = static_cast<int32_t>(hn::GetLane(hn::SumOfLanes(d, total))) + moved;
  }
}

void softmax_all(float* scores, ptrdiff_t step, size_t rows, size_t count,
                 const ByteRounding& rounding, uint8_t* out, ptrdiff_t out_step, int32_t* sums) {
  rounding.dtype == DType::kInt8
      ? softmax_as<int8_t>(scores, step, rows, count, rounding, out, out_step, sums)
      : softmax_as<uint8_t>(scores, step, rows, count, rounding, out, out_step, sums);
}

#if HWY_TARGET != HWY_SCALAR
// Four rows of 16 bytes as 16 groups of four.
HWY_INLINE void interleave_four(const uint8_t* const rows[4], int8_t* to) {
  const hn::FixedTag<uint8_t, 16> d;
  const hn::FixedTag<uint16_t, 8> pairs;
  const auto a = hn::LoadU(d, rows[0]), b = hn::LoadU(d, rows[1]);
  const auto c = hn::LoadU(d, rows[2]), e = hn::LoadU(d, rows[3]);
  const auto low_ab = hn::BitCast(pairs, hn::InterleaveLower(d, a, b));
  const auto low_ce = hn::BitCast(pairs, hn::InterleaveLower(d, c, e));
  const auto high_ab = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
  const auto high_ce = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  auto* const out = reinterpret_cast<uint16_t*>(to);
  hn::StoreU(hn::InterleaveLower(pairs, low_ab, low_ce), pairs, out);
  hn::StoreU(hn::InterleaveUpper(pairs, low_ab, low_ce), pairs, out + 8);
  hn::StoreU(hn::InterleaveLower(pairs, high_ab, high_ce), pairs, out + 16);
  hn::StoreU(hn::InterleaveUpper(pairs, high_ab, high_ce), pairs, out + 24);
}

#endif

void pack_depth(const uint8_t* rows, ptrdiff_t step, size_t count, size_t size, int8_t* packed) {
  const size_t panel_bytes = (count + 63) / 64 * 1024;
  alignas(16) static constexpr uint8_t kZeros[16] = {};
  for (size_t column = 0; column < size; column += 16) {
    int8_t* to = packed + column / 16 * panel_bytes;
    for (size_t row = 0; row < count; row += 4, to += 64) {
      const uint8_t* four[4];
      for (size_t i = 0; i < 4; ++i) {
        four[i] = row + i < count ? rows + static_cast<ptrdiff_t>(row + i) * step + column : kZeros;
      }
#if HWY_TARGET != HWY_SCALAR
      if (column + 16 <= size) {
        interleave_four(four, to);
        continue;
      }
#endif
      for (size_t c = 0; c < 16; ++c) {
        for (size_t i = 0; i < 4; ++i) {
          to[c * 4 + i] = c + column < size ? static_cast<int8_t>(four[i][c]) : int8_t{0};
        }
      }
    }
    std::memset(to, 0, static_cast<size_t>(packed + (column / 16 + 1) * panel_bytes - to));
  }
}

void sum_all(const uint8_t* rows, ptrdiff_t step, size_t count, size_t size, int32_t* sums) {
  const D d;
  for (size_t row = 0; row < count; ++row, rows += step) {
    const auto* const values = reinterpret_cast<const int8_t*>(rows);
    V total = hn::Zero(d);
    for (size_t i = 0; i < size; i += kLanes) {
      total = hn::Add(total, load_real(values + i, size - i));
    }
    sums[row] = static_cast<int32_t>(hn::GetLane(hn::SumOfLanes(d, total)));
  }
}

void subtract_all(int32_t* values, ptrdiff_t step, size_t rows, size_t columns,
                  const int32_t* amounts) {
  const hn::Rebind<int32_t, D> d;
  for (size_t row = 0; row < rows; ++row, values += step) {
    const auto amount = hn::Set(d, amounts[row]);
    for (size_t i = 0; i < columns; i += kLanes) {
      hn::StoreU(hn::Sub(hn::LoadU(d, values + i), amount), d, values + i);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(round_all);
HWY_EXPORT(softmax_all);
HWY_EXPORT(pack_depth);
HWY_EXPORT(sum_all);
HWY_EXPORT(subtract_all);

void round_rows(const float* in, ptrdiff_t in_step, size_t rows, size_t size,
                const ByteRounding& rounding, uint8_t* out, ptrdiff_t out_step) {
  HWY_DYNAMIC_DISPATCH(round_all)(in, in_step, rows, size, rounding, out, out_step);
}

void pack_byte_columns(const uint8_t* rows, ptrdiff_t step, size_t count, size_t size,
                       int8_t* packed, int32_t* sums) {
  const size_t panel_bytes = (size + 63) / 64 * 1024;
  std::memset(packed, 0, (count + 15) / 16 * panel_bytes);
  const size_t whole = size / 4 * 4;
  HWY_DYNAMIC_DISPATCH(sum_all)(rows, step, count, size, sums);
  for (size_t row = 0; row < count; ++row, rows += step) {
    int8_t* const to = packed + row / 16 * panel_bytes + row % 16 * 4;
    for (size_t i = 0; i < whole; i += 4) std::memcpy(to + i * 16, rows + i, 4);
    for (size_t i = whole; i < size; ++i) to[i / 4 * 64 + i % 4] = static_cast<int8_t>(rows[i]);
  }
}

void pack_byte_depth(const uint8_t* rows, ptrdiff_t step, size_t count, size_t size,
                     int8_t* packed) {
  HWY_DYNAMIC_DISPATCH(pack_depth)(rows, step, count, size, packed);
}

void subtract_from_rows(int32_t* values, ptrdiff_t step, size_t rows, size_t columns,
                        const int32_t* amounts) {
  HWY_DYNAMIC_DISPATCH(subtract_all)(values, step, rows, columns, amounts);
}

void softmax_to_bytes(float* scores, ptrdiff_t step, size_t rows, size_t count,
                      const ByteRounding& rounding, uint8_t* out, ptrdiff_t out_step,
                      int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(softmax_all)(scores, step, rows, count, rounding, out, out_step, sums);
}

}  // namespace edgewright
#endif
