#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "tensor/attributes.h"

namespace edgewright {

// Activations that tuned kernels fuse; meanings as in the ONNX operators of the same name.
enum class Activation : uint8_t {
  kNone,
  kRelu,
  kLeakyRelu,  // alpha: slope
  kClip,       // alpha: minimum, beta: maximum
  kSigmoid,
  kHardSigmoid,  // alpha: slope, beta: offset
  kHardSwish,
  kSilu,
  kGelu,  // exact, with erf
  kGeluTanh,
  kTanh,
};

// What a fused kernel does to its result before it stores it.
struct Epilogue {
  Activation activation = Activation::kNone;
  float alpha = 0;
  float beta = 0;
  bool residual_before_activation = true;

  // Activations that a clamp expresses; the others take a pass of their own over the tile.
  bool is_clamp() const {
    return activation == Activation::kNone || activation == Activation::kRelu ||
           activation == Activation::kClip;
  }
  float low() const;
  float high() const;
  // Whether activation(0) is 0, so that padded channels stay zero.
  bool keeps_zero() const;
};

// Attributes activation, alpha, beta and residual_before_activation of edgewright operators;
// kUnsupported for an unknown activation.
Result<Epilogue> parse_epilogue(const Attributes& attributes);

// Applies the activation in place to rows x columns values, rows `step` floats apart, then adds the
// residual (null: none), whose rows lie likewise.
void apply_activation(const Epilogue& epilogue, float* values, const float* residual, size_t rows,
                      size_t columns, ptrdiff_t step);

}  // namespace edgewright
