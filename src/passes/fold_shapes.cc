// Before: integers computed from shapes (Shape, Gather, Slice, Concat, arithmetic).
// After: a constant where all of them are known.
// Conditions: the elements follow from inferred types and constants, whatever the input data.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/shape_values.h"

namespace edgewright {
namespace {

Result<Tensor> integer_tensor(DType dtype, Dims dims, const ShapeElements& elements) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(dtype, std::move(dims)));
  for (size_t i = 0; i < elements.size(); ++i) {
    const int64_t value = *elements[i].number;
    switch (dtype) {
      case DType::kInt64: tensor.mutable_data<int64_t>()[i] = value; break;
      case DType::kInt32: tensor.mutable_data<int32_t>()[i] = static_cast<int32_t>(value); break;
      default: tensor.mutable_data<bool>()[i] = value != 0; break;
    }
  }
  return tensor;
}

// The constant that the value is, or an empty tensor.
Result<Tensor> known_tensor(const Value& value, ShapeValues& shapes) {
  const DType dtype = dtype_of(&value);
  if (dtype != DType::kInt64 && dtype != DType::kInt32 && dtype != DType::kBool) return Tensor();
  const auto rank = rank_of(&value);
  if (!rank || *rank > 1) return Tensor();
  const ShapeElements* elements = shapes.find(&value);
  if (elements == nullptr || (*rank == 0 && elements->size() != 1)) return Tensor();
  const bool all_known = std::ranges::all_of(
      *elements, [](const ShapeElement& element) { return element.number.has_value(); });
  if (!all_known) return Tensor();
  Dims dims;
  if (*rank == 1) dims.push_back(static_cast<int64_t>(elements->size()));
  return integer_tensor(dtype, std::move(dims), *elements);
}

}  // namespace

Result<bool> fold_shapes(Graph& graph, PassContext& context) {
  ShapeValues shapes;
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (node.domain != "" || node.outputs.size() != 1 || !node.subgraphs.empty()) return false;
    EDGEWRIGHT_ASSIGN(Tensor constant, known_tensor(*node.outputs[0], shapes));
    if (constant.empty_handle() || !context.allow(node)) return false;
    owner.make_constant(node.outputs[0], std::move(constant));
    // Nodes before it stay for now: what is known of their values still refers to them.
    owner.erase(&node);
    return true;
  });
}

}  // namespace edgewright
