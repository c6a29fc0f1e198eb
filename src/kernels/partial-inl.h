// Loads and stores of the first few lanes that touch no memory beyond them. Highway's MaskedLoad
// and BlendedStore want alignment and touch whole vectors where the instruction set has no masks.
#if defined(EDGEWRIGHT_KERNELS_PARTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEWRIGHT_KERNELS_PARTIAL_INL_H_
#undef EDGEWRIGHT_KERNELS_PARTIAL_INL_H_
#else
#define EDGEWRIGHT_KERNELS_PARTIAL_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load_first(D d, const float* from, size_t count) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::MaskedLoad(hn::FirstN(d, HWY_MIN(count, hn::Lanes(d))), d, from);
}
template <class D>
HWY_INLINE void store_first(hwy::HWY_NAMESPACE::Vec<D> value, D d, float* to, size_t count) {
  namespace hn = hwy::HWY_NAMESPACE;
  hn::BlendedStore(value, hn::FirstN(d, HWY_MIN(count, hn::Lanes(d))), d, to);
}

#else

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load_first(D d, const float* from, size_t count) {
  namespace hn = hwy::HWY_NAMESPACE;
  if (count >= hn::Lanes(d)) return hn::LoadU(d, from);
  HWY_ALIGN float lanes[hn::MaxLanes(d)] = {};
  for (size_t i = 0; i < count; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
}
template <class D>
HWY_INLINE void store_first(hwy::HWY_NAMESPACE::Vec<D> value, D d, float* to, size_t count) {
  namespace hn = hwy::HWY_NAMESPACE;
  if (count >= hn::Lanes(d)) return hn::StoreU(value, d, to);
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(value, d, lanes);
  for (size_t i = 0; i < count; ++i) to[i] = lanes[i];
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#endif
