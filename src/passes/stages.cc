// The ordered pipeline, one table per stage.
#include "passes/passes.h"

namespace edgewright {
namespace {

Stage simplify() {
  return {
      "simplify",
      {
          {"eliminate_identity", "drop Identity nodes", eliminate_identity},
          {"eliminate_dropout", "drop Dropout of inference", eliminate_dropout},
          {"fold_constants", "compute what depends on constants only", fold_constants},
          {"fold_shapes", "compute what depends on known shapes only", fold_shapes},
          {"fold_if", "put the chosen branch in place of an If", fold_if},
          {"fold_loop", "unroll loops that run once, drop those that never run", fold_loop},
          {"fold_reshape_target", "make computed targets of Reshape and Expand constant",
           fold_reshape_target},
          {"eliminate_no_op", "drop operators that cannot change their input", eliminate_no_op},
          {"eliminate_neutral_operand", "drop x + 0, x * 1 and the like", eliminate_neutral_operand},
          {"eliminate_repeated", "drop repeated idempotent or self-inverse operators",
           eliminate_repeated},
          {"fuse_casts", "merge two casts in a row", fuse_casts},
          {"fuse_reshapes", "merge operators in a row that only reshape", fuse_reshapes},
          {"fuse_transposes", "merge two transposes in a row", fuse_transposes},
          {"fuse_slices", "merge two slices in a row", fuse_slices},
          {"fuse_concats", "merge nested concatenations", fuse_concats},
          {"fuse_clips", "merge bounds in a row", fuse_clips},
          {"eliminate_rejoined_parts", "drop splits whose parts are joined again",
           eliminate_rejoined_parts},
          {"eliminate_expand", "drop expansions that broadcasting makes needless",
           eliminate_expand},
          {"eliminate_common_subexpressions", "compute equal things once",
           eliminate_common_subexpressions},
          {"eliminate_dead", "drop nodes and constants that nothing uses", eliminate_dead},
      }};
}

// Fusions into larger operators (normalisation, attention, activations): before any rewrite that
// reorders arithmetic, which would hide the patterns.
Stage recognise() {
  constexpr Dialect kOrt = Dialect::kOrt;
  return {"recognise",
          {
              {"fuse_layer_normalization", "mean, variance and scaling to LayerNormalization",
               fuse_layer_normalization},
              {"fuse_rms_normalization", "root mean square scaling to RMSNormalization",
               fuse_rms_normalization},
              {"fuse_gelu", "GELU written with Erf or Tanh to Gelu or FastGelu", fuse_gelu},
              {"fuse_quick_gelu", "x sigmoid(a x) to Swish or QuickGelu", fuse_quick_gelu},
              {"fuse_dynamic_quantize_matmul",
               "integer product with dynamic scales to DynamicQuantizeMatMul",
               fuse_dynamic_quantize_matmul, kOrt},
          }};
}

// Fusions into convolutions and matrix products, transposes moved and cancelled.
Stage combine() { return {"combine", {}}; }

// What must come last: forms that only pay when nothing else wants the nodes any more.
Stage finish() {
  constexpr Dialect kOrt = Dialect::kOrt;
  return {"finish",
          {
              {"fuse_bias_gelu", "an addition before GELU to BiasGelu or FastGelu", fuse_bias_gelu,
               kOrt},
              {"fuse_skip_layer_normalization",
               "an addition before a normalisation to SkipLayerNormalization",
               fuse_skip_layer_normalization, kOrt},
              {"fuse_matmul_transpose", "a transposed factor of MatMul to FusedMatMul",
               fuse_matmul_transpose, kOrt},
              {"fuse_matmul_scale", "a number times MatMul to FusedMatMul", fuse_matmul_scale,
               kOrt},
              {"fuse_conv_residual", "Conv plus a tensor to FusedConv", fuse_conv_residual, kOrt},
              {"fuse_activation", "Conv or Gemm and an activation to FusedConv or FusedGemm",
               fuse_activation, kOrt},
          }};
}

}  // namespace

const std::vector<Stage>& optimisation_stages() {
  static const auto* stages = new std::vector<Stage>{simplify(), recognise(), combine(), finish()};
  return *stages;
}

}  // namespace edgewright
