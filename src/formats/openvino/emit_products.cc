// Matrix products and normalisations.
#include <algorithm>
#include <numeric>

#include "formats/openvino/emit.h"

namespace edgewright::openvino_ir {
namespace {

LayerData transposes(bool a, bool b) {
  return {{"transpose_a", flag(a)}, {"transpose_b", flag(b)}};
}

Status emit_matmul(Emitter& emitter, const Node& node) {
  emitter.finish(node, "MatMul", "opset1", {emitter.input(node, 0), emitter.input(node, 1)},
                 transposes(false, false));
  return {};
}

// alpha A' B' + beta C.
Status emit_gemm(Emitter& emitter, const Node& node) {
  const Attributes& attributes = node.attributes;
  const DType dtype = node.outputs[0]->type.dtype;
  const float alpha = attributes.get_float("alpha", 1), beta = attributes.get_float("beta", 1);
  Endpoint result = emitter.add(
      node, "MatMul", "opset1", {emitter.input(node, 0), emitter.input(node, 1)},
      transposes(attributes.get_int("transA", 0) != 0, attributes.get_int("transB", 0) != 0),
      node.outputs[0]->type);
  if (alpha != 1) {
    result = emitter.binary(node, "Multiply", result, emitter.number(alpha, dtype));
  }
  if (node.input(2) != nullptr) {
    Endpoint term = emitter.input(node, 2);
    if (beta != 1) term = emitter.binary(node, "Multiply", term, emitter.number(beta, dtype));
    result = emitter.binary(node, "Add", result, term);
  }
  emitter.give(node, 0, result);
  return {};
}

Status emit_einsum(Emitter& emitter, const Node& node) {
  std::vector<Endpoint> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(emitter.input(node, i));
  emitter.finish(node, "Einsum", "opset7", std::move(inputs),
                 {{"equation", node.attributes.get_string("equation", "")}});
  return {};
}

Status emit_softmax(Emitter& emitter, const Node& node) {
  const bool log = node.op == "LogSoftmax";
  emitter.finish(node, log ? "LogSoftmax" : "SoftMax", log ? "opset5" : "opset8",
                 {emitter.input(node, 0)},
                 {{"axis", fmt::format("{}", node.attributes.get_int("axis", -1))}});
  return {};
}

// Of inference, with one output.
bool is_inference(const Node& node) {
  return node.output(1) == nullptr && node.attributes.get_int("training_mode", 0) == 0;
}
Status emit_batch_normalization(Emitter& emitter, const Node& node) {
  std::vector<Endpoint> inputs;
  for (size_t i = 0; i < 5; ++i) inputs.push_back(emitter.input(node, i));
  emitter.finish(node, "BatchNormInference", "opset5", std::move(inputs),
                 {{"epsilon", fmt::format("{}", node.attributes.get_float("epsilon", 1e-5f))}});
  return {};
}

// Mean 0 and variance 1 over the axes.
Endpoint normalised(Emitter& emitter, const Node& node, const std::vector<int64_t>& axes) {
  return emitter.add(node, "MVN", "opset6", {emitter.input(node, 0), emitter.ints(axes)},
                     {{"eps", fmt::format("{}", node.attributes.get_float("epsilon", 1e-5f))},
                      {"normalize_variance", "true"},
                      {"eps_mode", "inside_sqrt"}},
                     node.outputs[0]->type);
}

bool normalises_layer(const Node& node) {
  return has_rank(node.input(0)) && node.output(1) == nullptr && node.output(2) == nullptr &&
         node.inputs[0]->type.dtype == DType::kFloat32;
}
Status emit_layer_normalization(Emitter& emitter, const Node& node) {
  const auto rank = static_cast<int64_t>(rank_of(node.input(0)));
  int64_t axis = node.attributes.get_int("axis", -1);
  if (axis < 0) axis += rank;
  std::vector<int64_t> axes(static_cast<size_t>(rank - axis));
  std::iota(axes.begin(), axes.end(), axis);
  Endpoint result = normalised(emitter, node, axes);
  result = emitter.binary(node, "Multiply", result, emitter.input(node, 1));
  if (node.input(2) != nullptr) {
    result = emitter.binary(node, "Add", result, emitter.input(node, 2));
  }
  emitter.give(node, 0, result);
  return {};
}

bool normalises_channels(const Node& node) {
  return has_rank(node.input(0)) && rank_of(node.input(0)) >= 3;
}
Status emit_instance_normalization(Emitter& emitter, const Node& node) {
  std::vector<int64_t> axes(rank_of(node.input(0)) - 2), dims(rank_of(node.input(0)), 1);
  std::iota(axes.begin(), axes.end(), 2);
  dims[1] = -1;
  Endpoint result = normalised(emitter, node, axes);
  result =
      emitter.binary(node, "Multiply", result, emitter.reshape(node, emitter.input(node, 1), dims));
  result = emitter.binary(node, "Add", result, emitter.reshape(node, emitter.input(node, 2), dims));
  emitter.give(node, 0, result);
  return {};
}

Status emit_group_normalization(Emitter& emitter, const Node& node) {
  emitter.finish(node, "GroupNormalization", "opset12",
                 {emitter.input(node, 0), emitter.input(node, 1), emitter.input(node, 2)},
                 {{"num_groups", fmt::format("{}", node.attributes.get_int("num_groups", 1))},
                  {"epsilon", fmt::format("{}", node.attributes.get_float("epsilon", 1e-5f))}});
  return {};
}

Status emit_lrn(Emitter& emitter, const Node& node) {
  const Attributes& attributes = node.attributes;
  emitter.finish(node, "LRN", "opset1", {emitter.input(node, 0), emitter.ints({1})},
                 {{"alpha", fmt::format("{}", attributes.get_float("alpha", 1e-4f))},
                  {"beta", fmt::format("{}", attributes.get_float("beta", 0.75f))},
                  {"bias", fmt::format("{}", attributes.get_float("bias", 1.0f))},
                  {"size", fmt::format("{}", attributes.get_int("size", 1))}});
  return {};
}

// x / norm(x) over one axis.
Status emit_lp_normalization(Emitter& emitter, const Node& node) {
  const bool one = node.attributes.get_int("p", 2) == 1;
  const Endpoint axis = emitter.ints({node.attributes.get_int("axis", -1)});
  const Endpoint norm =
      emitter.add(node, one ? "ReduceL1" : "ReduceL2", "opset4", {emitter.input(node, 0), axis},
                  {{"keep_dims", "true"}}, ValueType::tensor(node.inputs[0]->type.dtype));
  emitter.finish(node, "Divide", "opset1", {emitter.input(node, 0), norm},
                 {{"auto_broadcast", "numpy"}, {"m_pythondiv", "false"}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"MatMul", emit_matmul},
    {"Gemm", emit_gemm},
    {"Einsum", emit_einsum},
    {"Softmax", emit_softmax},
    {"LogSoftmax", emit_softmax},
    {"BatchNormalization", emit_batch_normalization, is_inference},
    {"LayerNormalization", emit_layer_normalization, normalises_layer},
    {"InstanceNormalization", emit_instance_normalization, normalises_channels},
    {"GroupNormalization", emit_group_normalization},
    {"LRN", emit_lrn},
    {"LpNormalization", emit_lp_normalization},
};

}  // namespace

std::span<const EmitRow> product_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
