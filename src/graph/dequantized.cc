#include "graph/dequantized.h"

#include "graph/node_facts.h"

namespace edgewright {

bool is_dequantized_constant(const Node& node) {
  if (!node.is("DequantizeLinear") || node.attributes.get_int("block_size", 0) != 0) return false;
  const Tensor* integers = node.constant_input(0);
  const Tensor* scale = node.constant_input(1);
  if (integers == nullptr || scale == nullptr || scale->rank() > 1) return false;
  if (node.input(2) == nullptr) return true;
  const Tensor* zero = node.constant_input(2);
  return zero != nullptr && zero->element_count() == scale->element_count();
}

bool is_known_constant(const Value* value) {
  return value->is_constant() ||
         (value->producer != nullptr && is_dequantized_constant(*value->producer));
}

Result<Tensor> dequantized(const Node& node) {
  EDGEWRIGHT_CHECK(is_dequantized_constant(node));
  const Tensor& integers = *node.constant_input(0);
  EDGEWRIGHT_ASSIGN(const auto values, integers.to_doubles());
  EDGEWRIGHT_ASSIGN(const auto scales, node.constant_input(1)->to_doubles());
  std::vector<double> zeros(scales.size(), 0);
  if (const Tensor* zero = node.constant_input(2)) {
    EDGEWRIGHT_ASSIGN(zeros, zero->to_doubles());
  }
  const int64_t axis = axis_of(node, 1, integers.rank());
  size_t inner = 1;  // elements that share a scale, one after the other
  for (size_t i = static_cast<size_t>(axis) + 1; i < integers.rank(); ++i) {
    inner *= static_cast<size_t>(integers.dim(i));
  }
  EDGEWRIGHT_ASSIGN(Tensor result,
                    Tensor::allocate_uninitialised(DType::kFloat32, integers.dims()));
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t channel = scales.size() == 1 ? 0 : i / inner % scales.size();
    result.mutable_data<float>()[i] =
        static_cast<float>((values[i] - zeros[channel]) * scales[channel]);
  }
  return result;
}

}  // namespace edgewright
