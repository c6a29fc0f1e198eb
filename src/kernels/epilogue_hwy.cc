#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/epilogue_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/epilogue.h"
#include "kernels/math-inl.h"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct Rows {
  float* values;
  const float* residual;
  size_t rows, columns;
  ptrdiff_t step;
};

template <Activation kActivation>
void activate_rows(const Epilogue& epilogue, const Rows& t) {
  const hn::CappedTag<float, 16> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t row = 0; row < t.rows; ++row) {
    float* const values = t.values + static_cast<ptrdiff_t>(row) * t.step;
    const float* const residual =
        t.residual ? t.residual + static_cast<ptrdiff_t>(row) * t.step : nullptr;
    for (size_t i = 0; i < t.columns; i += lanes) {
      const size_t count = t.columns - i;
      auto value = load_first(d, values + i, count);
      value = vector_activation<kActivation>(d, value, epilogue.alpha, epilogue.beta);
      if (residual) value = hn::Add(value, load_first(d, residual + i, count));
      store_first(value, d, values + i, count);
    }
  }
}

void activate(const Epilogue& epilogue, float* values, const float* residual, size_t rows,
              size_t columns, ptrdiff_t step) {
  const Rows t = {values, residual, rows, columns, step};
  switch (epilogue.activation) {
    case Activation::kLeakyRelu: return activate_rows<Activation::kLeakyRelu>(epilogue, t);
    case Activation::kSigmoid: return activate_rows<Activation::kSigmoid>(epilogue, t);
    case Activation::kHardSigmoid: return activate_rows<Activation::kHardSigmoid>(epilogue, t);
    case Activation::kHardSwish: return activate_rows<Activation::kHardSwish>(epilogue, t);
    case Activation::kSilu: return activate_rows<Activation::kSilu>(epilogue, t);
    case Activation::kGelu: return activate_rows<Activation::kGelu>(epilogue, t);
    case Activation::kGeluTanh: return activate_rows<Activation::kGeluTanh>(epilogue, t);
    case Activation::kTanh: return activate_rows<Activation::kTanh>(epilogue, t);
    case Activation::kNone:
    case Activation::kRelu:
    case Activation::kClip: {
      Epilogue clamp = epilogue;
      clamp.alpha = epilogue.low();
      clamp.beta = epilogue.high();
      return activate_rows<Activation::kClip>(clamp, t);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(activate);

void apply_activation(const Epilogue& epilogue, float* values, const float* residual, size_t rows,
                      size_t columns, ptrdiff_t step) {
  HWY_DYNAMIC_DISPATCH(activate)(epilogue, values, residual, rows, columns, step);
}

}  // namespace edgewright
#endif
