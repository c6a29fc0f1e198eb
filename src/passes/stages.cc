// The ordered pipeline, one table per stage.
#include "passes/lower/lower.h"
#include "passes/passes.h"

namespace edgewright {
namespace {

// Folding and elimination, cheap and always right to repeat: every stage but the last begins so.
std::vector<Pass> cleaning_passes() {
  return {
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
      {"eliminate_slice_of_concat", "take a part from before its concatenation",
       eliminate_slice_of_concat},
      {"eliminate_expand", "drop expansions that broadcasting makes needless", eliminate_expand},
      {"eliminate_common_subexpressions", "compute equal things once",
       eliminate_common_subexpressions},
      {"eliminate_dead", "drop nodes and constants that nothing uses", eliminate_dead},
  };
}

Stage simplify() {
  std::vector<Pass> passes = cleaning_passes();
  // Before the patterns of float32 are looked for. Graphs that are not optimised have it among the
  // lowering passes.
  passes.insert(passes.begin(), {"lower_low_float", "operators on 16-bit floats on float32",
                                 lower_low_float, Dialect::kPlan});
  return {"simplify", std::move(passes)};
}

// Fusions into larger operators (normalisation, attention, activations): before any rewrite that
// reorders arithmetic, which would hide the patterns.
Stage recognise() {
  constexpr Dialect kOrt = Dialect::kOrt;
  return {
      "recognise",
      {
          {"rewrite_flattened_gemm", "Gemm between two reshapes to MatMul and Add",
           rewrite_flattened_gemm},
          {"eliminate_uniform_where", "drop choices that always go one way",
           eliminate_uniform_where},
          {"fuse_layer_normalization", "mean, variance and scaling to LayerNormalization",
           fuse_layer_normalization},
          {"fuse_rms_normalization", "root mean square scaling to RMSNormalization",
           fuse_rms_normalization},
          {"fuse_gelu", "GELU written with Erf or Tanh to Gelu or FastGelu", fuse_gelu},
          {"fuse_quick_gelu", "x sigmoid(a x) to Swish or QuickGelu", fuse_quick_gelu},
          {"fuse_dynamic_quantize_matmul",
           "integer product with dynamic scales to DynamicQuantizeMatMul",
           fuse_dynamic_quantize_matmul, kOrt},
          {"fuse_attention_projections", "self-attention with its projections to Attention",
           fuse_attention_projections, kOrt},
          {"fuse_rotary_embedding", "rotation of halves by angles to RotaryEmbedding",
           fuse_rotary_embedding},
          {"fuse_attention", "scaled dot products, softmax and sum to Attention", fuse_attention},
      }};
}

// Products that take transposed factors: after attention, which has transposes of its own, and
// before matrices become Gemm.
Stage multiply() {
  return {"multiply",
          {
              {"fuse_matmul_transpose", "a transposed factor of MatMul to FusedMatMul",
               fuse_matmul_transpose, Dialect::kOrt},
          }};
}

// Fusions into convolutions and matrix products, transposes moved and cancelled.
Stage combine() {
  Stage stage{"combine", cleaning_passes()};
  const Pass passes[] = {
      {"fuse_conv_affine", "fold scale and shift per channel into Conv and ConvTranspose",
       fuse_conv_affine},
      {"fuse_quantized_affine", "fold scale and shift per channel into Conv with integer weights",
       fuse_quantized_affine},
      {"fuse_gemm_affine", "fold scale and shift per column into Gemm and MatMul",
       fuse_gemm_affine},
      {"fuse_pad", "fold Pad into Conv and pooling", fuse_pad},
      {"fuse_gemm_transposes", "fold transposes of matrices into Gemm", fuse_gemm_transposes},
      {"fuse_matmul_add", "merge MatMul and Add of matrices into Gemm", fuse_matmul_add},
      {"fuse_gemm_sum", "a term added to Gemm by Sum becomes its C", fuse_gemm_sum},
      {"rewrite_transposed_gemm", "a transposed Gemm to Gemm of exchanged factors",
       rewrite_transposed_gemm},
      {"fuse_constant_factors", "merge constant factors or addends in a row",
       fuse_constant_factors},
      {"fuse_slices_to_split", "merge slices that together cut a tensor", fuse_slices_to_split},
      {"fuse_splits", "merge a split of a part into the split that made it", fuse_splits},
      {"fuse_detection_heads", "merge the two heads of an anchor-based detector",
       fuse_detection_heads},
      {"fuse_transpose_reduce", "reduce before instead of after a transpose",
       fuse_transpose_reduce},
      {"rewrite_transposed_operands", "transpose after instead of before element-wise operators",
       rewrite_transposed_operands},
      {"rewrite_transposed_concat", "transpose once, after a concatenation",
       rewrite_transposed_concat},
      {"rewrite_transpose_to_reshape", "make transposes that move no data reshapes",
       rewrite_transpose_to_reshape},
      {"rewrite_split_squeeze", "make split and squeezed parts gathers", rewrite_split_squeeze},
      {"rewrite_reduce_mean", "make means over images GlobalAveragePool", rewrite_reduce_mean},
  };
  stage.passes.insert(stage.passes.end(), std::begin(passes), std::end(passes));
  return stage;
}

// What must come last: forms that only pay when nothing else wants the nodes any more.
Stage finish() {
  constexpr Dialect kOrt = Dialect::kOrt;
  return {
      "finish",
      {
          {"fuse_bias_gelu", "an addition before GELU to BiasGelu or FastGelu", fuse_bias_gelu,
           kOrt},
          {"fuse_skip_layer_normalization",
           "an addition before a normalisation to SkipLayerNormalization",
           fuse_skip_layer_normalization, kOrt},
          {"fuse_matmul_scale", "a number times MatMul to FusedMatMul", fuse_matmul_scale, kOrt},
          {"fuse_conv_residual", "Conv plus a tensor to FusedConv", fuse_conv_residual, kOrt},
          {"fuse_activation", "Conv or Gemm and an activation to FusedConv or FusedGemm",
           fuse_activation, kOrt},
      }};
}

}  // namespace

const std::vector<Stage>& optimisation_stages() {
  static const auto* stages =
      new std::vector<Stage>{simplify(), recognise(), multiply(), combine(), finish()};
  return *stages;
}

}  // namespace edgewright
