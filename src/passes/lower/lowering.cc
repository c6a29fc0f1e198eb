#include "passes/lowering.h"

#include "passes/lower/lower.h"

namespace edgewright {
namespace {

constexpr Pass kPasses[] = {
    {"lower_low_float", "operators on float16 and bfloat16 on float32, bfloat16 products marked",
     lower_low_float, Dialect::kPlan},
    {"lower_attention", "attention with its cutting into heads as one operator", lower_attention,
     Dialect::kPlan},
    {"lower_quantized_moves", "operators that only move elements on bytes", lower_quantized_moves,
     Dialect::kPlan},
    {"lower_quantized_window", "means and interpolations of quantised images on bytes",
     lower_quantized_window, Dialect::kPlan},
    {"lower_quantized_conv", "convolutions between quantised values on integers",
     lower_quantized_conv, Dialect::kPlan},
    {"lower_quantized_matmul", "matrix products between quantised values on integers",
     lower_quantized_matmul, Dialect::kPlan},
    {"lower_constant_weights", "quantised constants that stay in float", lower_constant_weights,
     Dialect::kPlan},
    {"lower_conv", "convolutions with bias, residual sum and activation as one operator",
     lower_conv, Dialect::kPlan},
    {"lower_matmul",
     "matrix products with scale, bias, residual sum and activation as one operator", lower_matmul,
     Dialect::kPlan},
    {"lower_elementwise", "chains of element-wise operators as one pass over memory",
     lower_elementwise, Dialect::kPlan},
    {"lower_mean", "means over images as pooling", lower_mean, Dialect::kPlan},
    {"annotate_layout", "blocks of 16 channels around convolutions", annotate_layout,
     Dialect::kPlan},
};

}  // namespace

std::span<const Pass> lowering_passes() { return kPasses; }

}  // namespace edgewright
