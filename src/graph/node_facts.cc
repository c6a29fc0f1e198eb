#include "graph/node_facts.h"

namespace edgewright {

Dims dims_of(const Value* value) { return *known_dims(*value->type.shape); }

bool has_constant(const Node& node, size_t index) { return node.constant_input(index) != nullptr; }

std::vector<int64_t> constant_ints(const Node& node, size_t index) {
  const Tensor* tensor = node.constant_input(index);
  if (tensor == nullptr) return {};
  auto values = tensor->to_int64s();
  return values.ok() ? *std::move(values) : std::vector<int64_t>();
}

int64_t axis_of(const Node& node, int64_t otherwise, size_t rank) {
  const int64_t axis = node.attributes.get_int("axis", otherwise);
  return axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
}

std::vector<int64_t> permutation_of(const Node& transpose, size_t rank) {
  std::vector<int64_t> permutation = transpose.attributes.get_ints("perm");
  if (permutation.size() == rank) return permutation;
  permutation.resize(rank);
  for (size_t i = 0; i < rank; ++i) permutation[i] = static_cast<int64_t>(rank - 1 - i);
  return permutation;
}

std::string full_operator_name(std::string_view domain, std::string_view op) {
  return domain.empty() ? std::string(op) : fmt::format("{}::{}", domain, op);
}

}  // namespace edgewright
