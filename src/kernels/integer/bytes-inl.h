// Bytes and floats as vectors of floats, and back. Included once per instruction set, after
// Highway.
#if defined(EDGEWRIGHT_KERNELS_INTEGER_BYTES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEWRIGHT_KERNELS_INTEGER_BYTES_INL_H_
#undef EDGEWRIGHT_KERNELS_INTEGER_BYTES_INL_H_
#else
#define EDGEWRIGHT_KERNELS_INTEGER_BYTES_INL_H_
#endif

#include <cstring>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

using FloatTag = hwy::HWY_NAMESPACE::CappedTag<float, 16>;
using FloatVector = hwy::HWY_NAMESPACE::Vec<FloatTag>;
inline constexpr size_t kFloatLanes = hwy::HWY_NAMESPACE::MaxLanes(FloatTag());

// `count` elements of 8 or 32 bits, all lanes where there are enough; `otherwise` in the others.
template <class T>
HWY_INLINE FloatVector load_real(const T* from, size_t count, T otherwise = T()) {
  namespace hn = hwy::HWY_NAMESPACE;
  const FloatTag d;
  HWY_ALIGN T lanes[kFloatLanes];
  if (count < kFloatLanes) {
    for (T& lane : lanes) lane = otherwise;
    std::memcpy(lanes, from, count * sizeof(T));
    from = lanes;
  }
  if constexpr (std::is_same_v<T, float>) {
    return hn::LoadU(d, from);
  } else {
    const hn::Rebind<T, FloatTag> bytes;
    const hn::Rebind<int32_t, FloatTag> words;
    return hn::ConvertTo(d, hn::PromoteTo(words, hn::LoadU(bytes, from)));
  }
}

// Rounds to the nearest even integer; the values lie within the range of T already.
template <class T>
HWY_INLINE void store_in_range(FloatVector value, T* to, size_t count) {
  namespace hn = hwy::HWY_NAMESPACE;
  const FloatTag d;
  HWY_ALIGN T lanes[kFloatLanes];
  T* const target = count < kFloatLanes ? lanes : to;
  if constexpr (std::is_same_v<T, float>) {
    hn::StoreU(value, d, target);
  } else {
#if HWY_TARGET == HWY_AVX3_DL
    // Without the checks for overflow that Highway's conversions make.
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value.raw));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target), bytes);
#else
    const hn::Rebind<T, FloatTag> bytes;
    hn::StoreU(hn::DemoteTo(bytes, hn::NearestInt(value)), bytes, target);
#endif
  }
  if (count < kFloatLanes) std::memcpy(to, lanes, count * sizeof(T));
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#endif
