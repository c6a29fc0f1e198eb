// Before: MatMul, Gemm or com.microsoft::FusedMatMul, then a product with a number, a bias over the
// last axis, a sum with a tensor of the result's shape and an activation.
// After: one edgewright::MatMul.
// Conditions: float32, both operands of rank 2 or more, known shapes, nothing else reads what lies
// between.
#include "passes/lower/lower.h"

namespace edgewright {
namespace {

struct Product {
  bool transpose_a = false, transpose_b = false;
  double scale = 1;
  Value* bias = nullptr;  // N values
};

// True when the value has one element per column of the result and no more.
bool is_bias(const Value* value, const Value* result) {
  const auto dims = static_dims(value), out = static_dims(result);
  if (dtype_of(value) != DType::kFloat32 || !dims || !out || dims->empty()) return false;
  if (dims->size() > out->size()) return false;
  for (size_t i = 0; i + 1 < dims->size(); ++i) {
    if ((*dims)[i] != 1) return false;
  }
  return dims->back() == out->back() && out->back() > 0;
}

bool read_gemm(const Node& node, Product& product, EpilogueMatch& match) {
  product.transpose_a = node.attributes.get_int("transA", 0) != 0;
  product.transpose_b = node.attributes.get_int("transB", 0) != 0;
  product.scale = node.attributes.get_float("alpha", 1.0f);
  Value* c = node.input(2);
  if (c == nullptr) return true;
  if (node.attributes.get_float("beta", 1.0f) != 1.0f) return false;
  if (is_bias(c, node.outputs[0])) {
    product.bias = c;
    return true;
  }
  if (!is_static_float(c) || static_dims(c) != static_dims(node.outputs[0])) return false;
  match.residual = c;
  return true;
}

bool read_node(const Node& node, Product& product, EpilogueMatch& match) {
  if (node.is("MatMul")) return true;
  if (node.is("Gemm")) return read_gemm(node, product, match);
  if (!node.is("FusedMatMul", "com.microsoft")) return false;
  product.transpose_a = node.attributes.get_int("transA", 0) != 0;
  product.transpose_b = node.attributes.get_int("transB", 0) != 0;
  product.scale = node.attributes.get_float("alpha", 1.0f);
  return node.attributes.get_int("transBatchA", 0) == 0 &&
         node.attributes.get_int("transBatchB", 0) == 0;
}

bool can_lower(const Node& node) {
  if (node.inputs.size() < 2 || node.output(0) == nullptr) return false;
  for (const Value* value : {node.inputs[0], node.inputs[1], node.outputs[0]}) {
    if (!is_static_float(value) || *rank_of(value) < 2) return false;
  }
  return true;
}

// A product with or a quotient by one number.
void match_scale(Product& product, EpilogueMatch& match) {
  const Node* user = single_user(match.last);
  if (user == nullptr || user->graph != match.last->graph || user->inputs.size() != 2) return;
  const bool is_first = user->inputs[0] == match.last;
  const auto number = scalar_constant(user->inputs[is_first ? 1 : 0]);
  if (!number || static_dims(user->outputs[0]) != static_dims(match.last)) return;
  if (user->is("Mul")) {
    product.scale *= *number;
  } else if (user->is("Div") && is_first && *number != 0) {
    product.scale /= *number;
  } else {
    return;
  }
  match.last = user->outputs[0];
}

void match_bias(Product& product, EpilogueMatch& match) {
  const Node* user = single_user(match.last);
  if (user == nullptr || !user->is("Add") || user->graph != match.last->graph) return;
  Value* other = user->inputs[0] == match.last ? user->inputs[1] : user->inputs[0];
  if (other == match.last || !is_bias(other, match.last)) return;
  // A row [1, n] added to one row is a bias and a residual; both mean the same.
  product.bias = other;
  match.last = user->outputs[0];
}

Result<bool> lower_one(PassContext& context, Node& node) {
  Product product;
  EpilogueMatch match;
  match.last = node.output(0);
  if (node.domain == kEngineDomain || !can_lower(node) || !read_node(node, product, match))
    return false;
  if (product.bias == nullptr && match.residual == nullptr) {
    match_scale(product, match);
    match_bias(product, match);
  }
  if (match.residual == nullptr) {
    match_epilogue(match);
  } else {
    match_activation(match);
  }
  if (!context.allow(node)) return false;
  Attributes attributes;
  if (product.transpose_a) attributes.set("transpose_a", int64_t{1});
  if (product.transpose_b) attributes.set("transpose_b", int64_t{1});
  if (product.scale != 1) attributes.set("alpha_scale", static_cast<float>(product.scale));
  match.write_to(attributes);
  keep_products(node, attributes);
  std::vector<Value*> inputs = {node.inputs[0], node.inputs[1], product.bias, match.residual};
  replace_chain(context, match.last, "MatMul", std::move(inputs), std::move(attributes));
  return true;
}

}  // namespace

Result<bool> lower_matmul(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"MatMul", "Gemm", "FusedMatMul"},
                     [&](Node& node) { return lower_one(context, node); });
}

}  // namespace edgewright
