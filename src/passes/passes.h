#pragma once

#include "passes/pass.h"

// One function per pass, each in the file of its name; optimisation_stages() orders them.
namespace edgewright {

Result<bool> eliminate_common_subexpressions(Graph& graph, PassContext& context);
Result<bool> eliminate_dead(Graph& graph, PassContext& context);
Result<bool> eliminate_dropout(Graph& graph, PassContext& context);
Result<bool> eliminate_expand(Graph& graph, PassContext& context);
Result<bool> eliminate_identity(Graph& graph, PassContext& context);
Result<bool> eliminate_neutral_operand(Graph& graph, PassContext& context);
Result<bool> eliminate_no_op(Graph& graph, PassContext& context);
Result<bool> eliminate_rejoined_parts(Graph& graph, PassContext& context);
Result<bool> eliminate_repeated(Graph& graph, PassContext& context);
Result<bool> eliminate_slice_of_concat(Graph& graph, PassContext& context);
Result<bool> eliminate_uniform_where(Graph& graph, PassContext& context);
Result<bool> fold_constants(Graph& graph, PassContext& context);
Result<bool> fold_if(Graph& graph, PassContext& context);
Result<bool> fold_loop(Graph& graph, PassContext& context);
Result<bool> fold_reshape_target(Graph& graph, PassContext& context);
Result<bool> fold_shapes(Graph& graph, PassContext& context);
Result<bool> fuse_activation(Graph& graph, PassContext& context);
Result<bool> fuse_attention(Graph& graph, PassContext& context);
Result<bool> fuse_attention_projections(Graph& graph, PassContext& context);
Result<bool> fuse_bias_gelu(Graph& graph, PassContext& context);
Result<bool> fuse_casts(Graph& graph, PassContext& context);
Result<bool> fuse_clips(Graph& graph, PassContext& context);
Result<bool> fuse_concats(Graph& graph, PassContext& context);
Result<bool> fuse_constant_factors(Graph& graph, PassContext& context);
Result<bool> fuse_conv_affine(Graph& graph, PassContext& context);
Result<bool> fuse_conv_residual(Graph& graph, PassContext& context);
Result<bool> fuse_detection_heads(Graph& graph, PassContext& context);
Result<bool> fuse_dynamic_quantize_matmul(Graph& graph, PassContext& context);
Result<bool> fuse_gelu(Graph& graph, PassContext& context);
Result<bool> fuse_gemm_affine(Graph& graph, PassContext& context);
Result<bool> fuse_gemm_sum(Graph& graph, PassContext& context);
Result<bool> fuse_gemm_transposes(Graph& graph, PassContext& context);
Result<bool> fuse_layer_normalization(Graph& graph, PassContext& context);
Result<bool> fuse_matmul_add(Graph& graph, PassContext& context);
Result<bool> fuse_matmul_scale(Graph& graph, PassContext& context);
Result<bool> fuse_matmul_transpose(Graph& graph, PassContext& context);
Result<bool> fuse_pad(Graph& graph, PassContext& context);
Result<bool> fuse_quantized_affine(Graph& graph, PassContext& context);
Result<bool> fuse_quick_gelu(Graph& graph, PassContext& context);
Result<bool> fuse_reshapes(Graph& graph, PassContext& context);
Result<bool> fuse_rms_normalization(Graph& graph, PassContext& context);
Result<bool> fuse_rotary_embedding(Graph& graph, PassContext& context);
Result<bool> fuse_skip_layer_normalization(Graph& graph, PassContext& context);
Result<bool> fuse_slices(Graph& graph, PassContext& context);
Result<bool> fuse_slices_to_split(Graph& graph, PassContext& context);
Result<bool> fuse_splits(Graph& graph, PassContext& context);
Result<bool> fuse_transpose_reduce(Graph& graph, PassContext& context);
Result<bool> fuse_transposes(Graph& graph, PassContext& context);
Result<bool> rewrite_flattened_gemm(Graph& graph, PassContext& context);
Result<bool> rewrite_reduce_mean(Graph& graph, PassContext& context);
Result<bool> rewrite_split_squeeze(Graph& graph, PassContext& context);
Result<bool> rewrite_transpose_to_reshape(Graph& graph, PassContext& context);
Result<bool> rewrite_transposed_concat(Graph& graph, PassContext& context);
Result<bool> rewrite_transposed_gemm(Graph& graph, PassContext& context);
Result<bool> rewrite_transposed_operands(Graph& graph, PassContext& context);

}  // namespace edgewright
