#pragma once

#include <optional>
#include <string>

#include "passes/lowering.h"
#include "passes/rewrite.h"

// What the lowering passes share: one function per pass, and the matching of what follows a
// convolution or a matrix product.
namespace edgewright {

Result<bool> lower_low_float(Graph& graph, PassContext& context);
Result<bool> lower_quantized_moves(Graph& graph, PassContext& context);
Result<bool> lower_quantized_window(Graph& graph, PassContext& context);
Result<bool> lower_quantized_conv(Graph& graph, PassContext& context);
Result<bool> lower_quantized_matmul(Graph& graph, PassContext& context);
Result<bool> lower_constant_weights(Graph& graph, PassContext& context);
Result<bool> lower_attention(Graph& graph, PassContext& context);
Result<bool> lower_conv(Graph& graph, PassContext& context);
Result<bool> lower_matmul(Graph& graph, PassContext& context);
Result<bool> lower_mean(Graph& graph, PassContext& context);
Result<bool> lower_elementwise(Graph& graph, PassContext& context);
Result<bool> annotate_layout(Graph& graph, PassContext& context);

inline constexpr std::string_view kEngineDomain = "edgewright";

// Calls the rewrite for every node with one of these operators, subgraphs included. Unlike
// rewrite_nodes() the rewrite may erase any nodes.
Result<bool> lower_nodes(Graph& graph, std::initializer_list<std::string_view> ops,
                         FunctionRef<Result<bool>(Node& node)> rewrite);

// A chain of nodes that one fused operator replaces: it ends at `last`.
struct EpilogueMatch {
  Value* last = nullptr;
  Value* residual = nullptr;
  bool residual_before_activation = true;
  std::string activation;
  std::optional<float> alpha, beta;

  void write_to(Attributes& attributes) const;
};

// Extends the match by a residual sum and an activation (in either order) that read only its last
// value. float32 with known shapes only.
void match_epilogue(EpilogueMatch& match);
// Extends the match by an activation alone.
void match_activation(EpilogueMatch& match);

// Hands on what lower_low_float noted of a product.
void keep_products(const Node& node, Attributes& attributes);
// A float32 tensor whose dimensions are all known.
bool is_static_float(const Value* value);
// Puts one node in the place of everything that ends at `last`, whose name and type it takes over.
Node* replace_chain(PassContext& context, Value* last, std::string_view op,
                    std::vector<Value*> inputs, Attributes attributes);

}  // namespace edgewright
