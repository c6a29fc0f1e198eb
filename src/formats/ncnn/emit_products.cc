// Matrix products.
#include <algorithm>

#include "formats/ncnn/emit.h"

namespace edgewright::ncnn_format {
namespace {

// A matrix of constants with its rows and columns exchanged.
std::vector<float> transposed(const Tensor& matrix) {
  const auto values = floats_of(matrix);
  const auto rows = static_cast<size_t>(matrix.dim(0)),
             columns = static_cast<size_t>(matrix.dim(1));
  std::vector<float> result(values.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) result[j * rows + i] = values[i * columns + j];
  }
  return result;
}

bool is_constant_matrix(const Node& node, size_t i) {
  const Tensor* tensor = node.constant_input(i);
  return tensor != nullptr && tensor->rank() == 2 && tensor->dtype() == DType::kFloat32;
}

// Rows of length `depth` times constant weights [outputs, depth], plus a bias.
void emit_inner_product(Emitter& emitter, const Node& node, int64_t depth,
                        const std::vector<float>& weights, const std::vector<float>& bias) {
  const int64_t rows = product(dims_of(node.inputs[0])) / depth;
  const auto outputs = static_cast<int64_t>(weights.size()) / depth;
  const Dims from = rows == 1 ? Dims{depth} : Dims{rows, depth};
  const std::string bottom = emitter.input_as(node, 0, from);
  emitter.weights(weights);
  emitter.raw_weights(bias);
  emitter.finish(node, "InnerProduct", {bottom},
                 Parameters()
                     .integer(0, outputs)
                     .integer(1, bias.empty() ? 0 : 1)
                     .integer(2, static_cast<int64_t>(weights.size())),
                 rows == 1 ? Dims{outputs} : Dims{rows, outputs});
}

bool is_plain_gemm(const Node& node) {
  const Attributes& attributes = node.attributes;
  if (has_constant(node, 0) || !is_constant_matrix(node, 1)) return false;
  if (attributes.get_float("alpha", 1) != 1 || attributes.get_int("transA", 0) != 0) return false;
  if (node.input(2) == nullptr) return true;
  const Tensor* bias = node.constant_input(2);
  return bias != nullptr && attributes.get_float("beta", 1) == 1 &&
         bias->element_count() == dims_of(node.outputs[0])[1];
}
Status emit_gemm(Emitter& emitter, const Node& node) {
  const Tensor& matrix = *node.constant_input(1);
  const bool is_ready = node.attributes.get_int("transB", 0) != 0;
  const Tensor* bias = node.constant_input(2);
  emit_inner_product(emitter, node, dims_of(node.inputs[0])[1],
                     is_ready ? floats_of(matrix) : transposed(matrix),
                     bias == nullptr ? std::vector<float>() : floats_of(*bias));
  return {};
}

// The axes before the last two, which must be alike: ncnn multiplies matrix by matrix.
Dims batch_of(const Dims& dims) { return {dims.begin(), dims.end() - 2}; }

bool multiplies(const Node& node) {
  if (node.inputs[0]->type.dtype != DType::kFloat32) return false;
  if (!has_constant(node, 0) && is_constant_matrix(node, 1)) return true;
  if (has_constant(node, 0) && has_constant(node, 1)) return false;
  const Dims a = dims_of(node.inputs[0]), b = dims_of(node.inputs[1]);
  if (a.size() < 2 || b.size() < 2 || node.inputs[1]->type.dtype != DType::kFloat32) return false;
  return product(batch_of(a)) == product(batch_of(b)) &&
         (batch_of(a) == batch_of(b) || product(batch_of(a)) == 1);
}
Status emit_matmul(Emitter& emitter, const Node& node) {
  const Dims a = dims_of(node.inputs[0]), b = dims_of(node.inputs[1]);
  if (is_constant_matrix(node, 1) && !has_constant(node, 0)) {
    emit_inner_product(emitter, node, b[0], transposed(*node.constant_input(1)), {});
    return {};
  }
  const auto matrices = [](const Dims& dims) {
    Dims result(dims.end() - 2, dims.end());
    const int64_t batch = product(batch_of(dims));
    if (batch > 1) result.insert(result.begin(), batch);
    return result;
  };
  Dims result = matrices(a);
  result.back() = b.back();
  emitter.finish(node, "MatMul",
                 {emitter.input_as(node, 0, matrices(a)), emitter.input_as(node, 1, matrices(b))},
                 {}, result);
  return {};
}

constexpr EmitRow kRows[] = {
    {"Gemm", emit_gemm, is_plain_gemm},
    {"MatMul", emit_matmul, multiplies},
};

}  // namespace

std::span<const EmitRow> product_rows() { return kRows; }

}  // namespace edgewright::ncnn_format
