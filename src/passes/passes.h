#pragma once

#include "passes/pass.h"

// One function per pass, each in the file of its name; optimisation_stages() orders them.
namespace edgewright {

Result<bool> eliminate_dead(Graph& graph, PassContext& context);
Result<bool> eliminate_identity(Graph& graph, PassContext& context);
Result<bool> fuse_activation(Graph& graph, PassContext& context);
Result<bool> fuse_bias_gelu(Graph& graph, PassContext& context);
Result<bool> fuse_conv_residual(Graph& graph, PassContext& context);
Result<bool> fuse_dynamic_quantize_matmul(Graph& graph, PassContext& context);
Result<bool> fuse_gelu(Graph& graph, PassContext& context);
Result<bool> fuse_layer_normalization(Graph& graph, PassContext& context);
Result<bool> fuse_matmul_scale(Graph& graph, PassContext& context);
Result<bool> fuse_matmul_transpose(Graph& graph, PassContext& context);
Result<bool> fuse_quick_gelu(Graph& graph, PassContext& context);
Result<bool> fuse_rms_normalization(Graph& graph, PassContext& context);
Result<bool> fuse_skip_layer_normalization(Graph& graph, PassContext& context);

}  // namespace edgewright
