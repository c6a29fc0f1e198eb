// Matrix products.
#include <algorithm>

#include "formats/ncnn/emit.h"
#include "formats/ncnn/quantized.h"

namespace edgewright::ncnn_format {
namespace {

template <class T>
std::vector<T> numbers_of(const Tensor& matrix) {
  const auto elements = matrix.elements<T>();
  return {elements.begin(), elements.end()};
}

// A matrix of constants with its rows and columns exchanged.
template <class T>
std::vector<T> transposed(const Tensor& matrix) {
  const auto values = matrix.elements<T>();
  const auto rows = static_cast<size_t>(matrix.dim(0)),
             columns = static_cast<size_t>(matrix.dim(1));
  std::vector<T> result(values.size());
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) result[j * rows + i] = values[i * columns + j];
  }
  return result;
}

bool is_constant_matrix(const Node& node, size_t i) {
  const Value* value = node.inputs[i];
  return is_known_constant(value) && dims_of(value).size() == 2 &&
         value->type.dtype == DType::kFloat32;
}

// Rows times constant weights (input 1, [outputs, depth] or `is_ready` false and [depth, outputs]),
// plus a bias.
void emit_inner_product(Emitter& emitter, const Node& node, bool is_ready,
                        const std::vector<float>& bias) {
  const Dims matrix = dims_of(node.inputs[1]);
  const int64_t depth = matrix[is_ready ? 1 : 0], outputs = matrix[is_ready ? 0 : 1];
  const int64_t rows = product(dims_of(node.inputs[0])) / depth;
  const Dims from = rows == 1 ? Dims{depth} : Dims{rows, depth};
  const std::string bottom = emitter.input_as(node, 0, from);
  Parameters parameters;
  parameters.integer(0, outputs).integer(1, bias.empty() ? 0 : 1).integer(2, product(matrix));
  if (const auto layer = integer_layer(node, is_ready ? 0 : 1)) {
    emitter.byte_weights(is_ready ? numbers_of<int8_t>(layer->weights)
                                  : transposed<int8_t>(layer->weights));
    emitter.raw_weights(bias);
    emitter.raw_weights(layer->weight_scales);
    emitter.raw_weights(std::span(&layer->input_scale, 1));
    parameters.integer(8, 1);
  } else {
    const Tensor weights = known_numbers(node.inputs[1]);
    emitter.weights(is_ready ? numbers_of<float>(weights) : transposed<float>(weights));
    emitter.raw_weights(bias);
  }
  emitter.finish(node, "InnerProduct", {bottom}, parameters,
                 rows == 1 ? Dims{outputs} : Dims{rows, outputs});
}

bool is_plain_gemm(const Node& node) {
  const Attributes& attributes = node.attributes;
  if (is_known_constant(node.inputs[0]) || !is_constant_matrix(node, 1)) return false;
  if (attributes.get_float("alpha", 1) != 1 || attributes.get_int("transA", 0) != 0) return false;
  if (node.input(2) == nullptr) return true;
  return is_known_constant(node.inputs[2]) && attributes.get_float("beta", 1) == 1 &&
         product(dims_of(node.inputs[2])) == dims_of(node.outputs[0])[1];
}
Status emit_gemm(Emitter& emitter, const Node& node) {
  const bool is_ready = node.attributes.get_int("transB", 0) != 0;
  emit_inner_product(
      emitter, node, is_ready,
      node.input(2) == nullptr ? std::vector<float>() : floats_of(known_numbers(node.inputs[2])));
  return {};
}

// The axes before the last two, which must be alike: ncnn multiplies matrix by matrix.
Dims batch_of(const Dims& dims) { return {dims.begin(), dims.end() - 2}; }

bool multiplies(const Node& node) {
  if (node.inputs[0]->type.dtype != DType::kFloat32) return false;
  if (!is_known_constant(node.inputs[0]) && is_constant_matrix(node, 1)) return true;
  if (is_known_constant(node.inputs[0]) && is_known_constant(node.inputs[1])) return false;
  const Dims a = dims_of(node.inputs[0]), b = dims_of(node.inputs[1]);
  if (a.size() < 2 || b.size() < 2 || node.inputs[1]->type.dtype != DType::kFloat32) return false;
  return product(batch_of(a)) == product(batch_of(b)) &&
         (batch_of(a) == batch_of(b) || product(batch_of(a)) == 1);
}
Status emit_matmul(Emitter& emitter, const Node& node) {
  const Dims a = dims_of(node.inputs[0]), b = dims_of(node.inputs[1]);
  if (is_constant_matrix(node, 1) && !is_known_constant(node.inputs[0])) {
    emit_inner_product(emitter, node, false, {});
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
