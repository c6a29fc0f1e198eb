// The 8-bit dot product of AVX-512 (VNNI). Highway 1.0 asks the processor for it before it chooses
// the target but does not name it to the compiler, whose intrinsic then refuses: hence assembly.
#if defined(EDGEWRIGHT_KERNELS_INTEGER_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEWRIGHT_KERNELS_INTEGER_DOT_INL_H_
#undef EDGEWRIGHT_KERNELS_INTEGER_DOT_INL_H_
#else
#define EDGEWRIGHT_KERNELS_INTEGER_DOT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3_DL
// sum + four products of unsigned a and signed b in every 32-bit lane.
HWY_INLINE __m512i add_dot_products(__m512i sum, __m512i a, __m512i b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "vm"(b));
  return sum;
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#endif
