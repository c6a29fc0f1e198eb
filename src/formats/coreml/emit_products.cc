// Matrix products.
#include "formats/coreml/emit.h"

namespace edgewright::coreml {
namespace {

Arguments product(Emitter& emitter, const std::string& x, const std::string& y, bool transpose_x,
                  bool transpose_y) {
  return {{"transpose_x", {emitter.flag(transpose_x)}},
          {"transpose_y", {emitter.flag(transpose_y)}},
          {"x", {x}},
          {"y", {y}}};
}

bool has_matrices(const Node& node) {
  return is_float(node) && dims_of(node.inputs[0]).size() >= 2 &&
         dims_of(node.inputs[1]).size() >= 2;
}
Status emit_matmul(Emitter& emitter, const Node& node) {
  emitter.finish(node, "matmul",
                 product(emitter, emitter.input(node, 0), emitter.input(node, 1), false, false));
  return {};
}

// alpha A B + beta C, the factors only where they are not 1.
Status emit_gemm(Emitter& emitter, const Node& node) {
  const Attributes& attributes = node.attributes;
  const DType dtype = node.outputs[0]->type.dtype;
  const Dims dims = dims_of(node.outputs[0]);
  const float alpha = attributes.get_float("alpha", 1), beta = attributes.get_float("beta", 1);
  const Arguments arguments =
      product(emitter, emitter.input(node, 0), emitter.input(node, 1),
              attributes.get_int("transA", 0) != 0, attributes.get_int("transB", 0) != 0);
  const bool adds = node.input(2) != nullptr;
  if (!adds && alpha == 1) {
    emitter.finish(node, "matmul", arguments);
    return {};
  }
  std::string left = emitter.add(node, "matmul", arguments, dtype, dims);
  const std::string factor = emitter.number(alpha, dtype);
  if (!adds) {
    emitter.finish(node, "mul", {{"x", {left}}, {"y", {factor}}});
    return {};
  }
  if (alpha != 1) left = emitter.add(node, "mul", {{"x", {left}}, {"y", {factor}}}, dtype, dims);
  std::string right = emitter.input(node, 2);
  if (beta != 1) {
    right = emitter.add(node, "mul", {{"x", {right}}, {"y", {emitter.number(beta, dtype)}}}, dtype,
                        dims_of(node.inputs[2]));
  }
  emitter.finish(node, "add", {{"x", {left}}, {"y", {right}}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"MatMul", emit_matmul, has_matrices},
    {"Gemm", emit_gemm, is_float},
};

}  // namespace

std::span<const EmitRow> product_rows() { return kRows; }

}  // namespace edgewright::coreml
