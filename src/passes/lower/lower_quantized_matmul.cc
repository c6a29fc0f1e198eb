// Before: MatMul, Gemm or com.microsoft::FusedMatMul of DequantizeLinear(bytes) with
// DequantizeLinear(int8 weights), also through a Transpose, then what lower_quantized_conv takes.
// After: one edgewright::QuantizedMatMul.
// Conditions: as there; the right side is one constant matrix.
#include "passes/lower/quantized_match.h"

namespace edgewright {
namespace {

struct Product {
  bool transpose_b = false;
  double scale = 1;
};

// False where the node does more than an integer product can.
bool read_node(const Node& node, Product& product) {
  if (node.is("MatMul")) return true;
  const bool gemm = node.is("Gemm");
  if (!gemm && !node.is("FusedMatMul", "com.microsoft")) return false;
  product.transpose_b = node.attributes.get_int("transB", 0) != 0;
  product.scale = node.attributes.get_float("alpha", 1.0f);
  const bool plain = node.attributes.get_int("transA", 0) == 0 &&
                     node.attributes.get_int("transBatchA", 0) == 0 &&
                     node.attributes.get_int("transBatchB", 0) == 0;
  return plain && (node.input(2) == nullptr || node.attributes.get_float("beta", 1.0f) == 1.0f);
}

// The weights, looking through a Transpose of the matrix.
std::optional<QuantizedWeights> weights_of(const Value* value, Product& product) {
  if (const Node* transpose = producer(value, "Transpose")) {
    if (rank_of(transpose->inputs[0]) != 2 ||
        permutation_of(*transpose, 2) != std::vector<int64_t>{1, 0}) {
      return {};
    }
    product.transpose_b = !product.transpose_b;
    value = transpose->inputs[0];
  }
  auto weights = quantized_weights(value, product.transpose_b ? 0 : 1);
  if (!weights || weights->values.rank() != 2) return {};
  return weights;
}

bool read_bias(const Node& node, size_t columns, QuantizedEnd& end) {
  end.shift.assign(columns, 0.0);
  Value* c = node.is("Gemm") ? node.input(2) : nullptr;
  if (c == nullptr) return true;
  if (const auto bias = constant_vector(c, columns)) {
    end.shift = *bias;
    return true;
  }
  if (!is_static_float(c) || static_dims(c) != static_dims(node.outputs[0])) return false;
  end.residual = c;
  return true;
}

Result<bool> lower_one(PassContext& context, Node& node) {
  if (node.inputs.size() < 2 || !is_static_float(node.output(0)) ||
      !is_static_float(node.inputs[0]) || *rank_of(node.inputs[0]) < 2) {
    return false;
  }
  Product product;
  const auto a = dequantized_value(node.inputs[0]);
  if (!a || a->bytes->is_constant() || !read_node(node, product)) return false;
  const auto w = weights_of(node.inputs[1], product);
  if (!w) return false;
  const auto columns = static_cast<size_t>(w->values.dim(product.transpose_b ? 0 : 1));
  QuantizedEnd end;
  end.last = node.outputs[0];
  for (size_t c = 0; c < columns; ++c) {
    end.scale.push_back(a->scale.scale * product.scale * w->scales[w->scales.size() == 1 ? 0 : c]);
  }
  if (!read_bias(node, columns, end) || !context.allow(node)) return false;
  match_quantized_end(end, 0);
  Attributes attributes;
  attributes.set("x_zero", a->scale.zero);
  if (product.transpose_b) attributes.set("transpose_b", int64_t{1});
  Value* weights = node.graph->add_constant(node.inputs[1]->name + "_bytes", w->values);
  EDGEWRIGHT_TRY(
      replace_by_product(end, "QuantizedMatMul", {a->bytes, weights}, std::move(attributes)));
  return true;
}

}  // namespace

Result<bool> lower_quantized_matmul(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"MatMul", "Gemm", "FusedMatMul"},
                     [&](Node& node) { return lower_one(context, node); });
}

}  // namespace edgewright
