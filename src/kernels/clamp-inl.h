// Clamping of float32 vectors that lets NaN pass, as the ONNX operators have it. Included once per
// instruction set, after Highway, inside no namespace.
#if defined(EDGEWRIGHT_KERNELS_CLAMP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEWRIGHT_KERNELS_CLAMP_INL_H_
#undef EDGEWRIGHT_KERNELS_CLAMP_INL_H_
#else
#define EDGEWRIGHT_KERNELS_CLAMP_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

// With the clamped value as their second operand x86's Min and Max give NaN for NaN; those of
// 64-bit ARM and of plain C++ give the number.
template <class V>
HWY_INLINE V clamped(V low, V high, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V inside = hn::Min(high, hn::Max(low, x));
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  return inside;
#else
  return hn::IfThenElse(hn::IsNaN(x), x, inside);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#endif
