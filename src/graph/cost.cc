#include "graph/cost.h"

namespace edgewright {
namespace {

using Count = std::optional<int64_t>;

Count checked_product(std::initializer_list<Count> factors) {
  int64_t product = 1;
  for (const Count& factor : factors) {
    if (!factor || __builtin_mul_overflow(product, *factor, &product)) return std::nullopt;
  }
  return product;
}

std::optional<Dims> dims_of(const Value* value) {
  if (value == nullptr || !value->type.shape) return std::nullopt;
  return known_dims(*value->type.shape);
}

Count elements(const Value* value) {
  const auto dims = dims_of(value);
  if (!dims) return std::nullopt;
  const auto count = checked_element_count(*dims);
  return count.ok() ? Count(*count) : std::nullopt;
}

// Every weight is used once per output position of its group.
Count convolution(const Node& node, size_t weight_index) {
  const auto weight = dims_of(node.input(weight_index));
  if (!weight || weight->size() < 3 || (*weight)[0] == 0) return std::nullopt;
  const auto per_output = checked_element_count(std::span(*weight).subspan(1));
  if (!per_output.ok()) return std::nullopt;
  return checked_product({elements(node.output(0)), *per_output});
}

// The input's elements each meet every weight of their output channels.
Count transposed_convolution(const Node& node) {
  const auto weight = dims_of(node.input(1));
  if (!weight || weight->size() < 3) return std::nullopt;
  const auto per_input = checked_element_count(std::span(*weight).subspan(1));
  if (!per_input.ok()) return std::nullopt;
  return checked_product({elements(node.input(0)), *per_input});
}

Count matrix_product(const Node& node, bool inner_is_second_last) {
  const auto a = dims_of(node.input(0));
  if (!a || a->empty()) return std::nullopt;
  const size_t last = a->size() - 1;
  const int64_t inner = inner_is_second_last && last > 0 ? (*a)[last - 1] : (*a)[last];
  return checked_product({elements(node.output(0)), inner});
}

}  // namespace

std::optional<int64_t> multiply_adds(const Node& node) {
  if (node.op == "Conv" || node.op == "FusedConv" || node.op == "ConvInteger" ||
      node.op == "NhwcConv") {
    return convolution(node, 1);
  }
  if (node.is("QLinearConv")) return convolution(node, 3);
  if (node.is("ConvTranspose")) return transposed_convolution(node);
  if (node.op == "MatMul" || node.op == "MatMulInteger" || node.op == "QLinearMatMul") {
    return matrix_product(node, false);
  }
  if (node.op == "Gemm" || node.op == "FusedGemm" || node.op == "FusedMatMul") {
    return matrix_product(node, node.attributes.get_int("transA", 0) != 0);
  }
  return 0;
}

}  // namespace edgewright
