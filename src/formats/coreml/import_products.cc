// Matrix products and quantised values.
#include <algorithm>
#include <numeric>

#include "formats/coreml/import.h"

namespace edgewright::coreml {
namespace {

Result<Value*> with_exchanged_axes(Importer& importer, Value* value, std::string_view parameter) {
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims(parameter));
  if (dims.size() < 2) return bad_input("'{}' has rank {}", parameter, dims.size());
  std::vector<int64_t> order(dims.size());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  Attributes attributes;
  attributes.set("perm", std::move(order));
  return importer.add("Transpose", {value}, value->type.dtype, std::move(attributes));
}

Status read_matmul(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(Value * y, importer.input("y"));
  EDGEWRIGHT_ASSIGN(const bool turns_x, importer.flag("transpose_x", false));
  EDGEWRIGHT_ASSIGN(const bool turns_y, importer.flag("transpose_y", false));
  if (turns_x) {
    EDGEWRIGHT_ASSIGN(x, with_exchanged_axes(importer, x, "x"));
  }
  if (turns_y) {
    EDGEWRIGHT_ASSIGN(y, with_exchanged_axes(importer, y, "y"));
  }
  return importer.finish(importer.add("MatMul", {x, y}, x->type.dtype));
}

// x W' + b.
Status read_linear(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(Value * weight, importer.input("weight"));
  EDGEWRIGHT_ASSIGN(weight, with_exchanged_axes(importer, weight, "weight"));
  Value* result = importer.add("MatMul", {x, weight}, x->type.dtype);
  if (importer.has("bias")) {
    EDGEWRIGHT_ASSIGN(Value * bias, importer.input("bias"));
    result = importer.add("Add", {result, bias}, x->type.dtype);
  }
  return importer.finish(result);
}

// Scale and zero point of the same shape, of which one may be a scalar in the file.
struct Scale {
  Value *scale = nullptr, *zero = nullptr;
  Attributes attributes;
};
Result<Scale> read_scale(Importer& importer, DType integers) {
  EDGEWRIGHT_ASSIGN(Tensor scale, importer.constant_of("scale"));
  if (!is_floating_point(scale.dtype()) || scale.rank() > 1) {
    return bad_input("a scale of {} and rank {}", dtype_name(scale.dtype()), scale.rank());
  }
  EDGEWRIGHT_ASSIGN(Tensor zero, Tensor::allocate(integers, scale.dims()));
  if (importer.has("zero_point")) {
    EDGEWRIGHT_ASSIGN(const Tensor given, importer.constant_of("zero_point"));
    if (given.dtype() != integers || (given.dims() != scale.dims() && given.rank() != 0)) {
      return bad_input("a zero point of {} and shape {} for a scale of shape {}",
                       dtype_name(given.dtype()), dims_text(given.dims()), dims_text(scale.dims()));
    }
    const auto item = static_cast<size_t>(dtype_bits(integers) / 8);
    for (int64_t i = 0; i < zero.element_count(); ++i) {
      const int64_t from = given.rank() == 0 ? 0 : i;
      std::copy_n(given.bytes() + static_cast<size_t>(from) * item, item,
                  zero.mutable_bytes() + static_cast<size_t>(i) * item);
    }
  }
  Scale result;
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", 1));
  if (scale.rank() == 1) result.attributes.set("axis", axis);
  result.scale = importer.constant(std::move(scale));
  result.zero = importer.constant(std::move(zero));
  return result;
}

bool is_byte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUint8; }

Status finish_dequantize(Importer& importer, Value* integers) {
  if (!is_byte(integers->type.dtype)) {
    return unsupported("integers of {}", dtype_name(integers->type.dtype));
  }
  EDGEWRIGHT_ASSIGN(Scale scale, read_scale(importer, integers->type.dtype));
  const DType dtype = scale.scale->type.dtype;
  return importer.finish(importer.add("DequantizeLinear", {integers, scale.scale, scale.zero},
                                      dtype, std::move(scale.attributes)));
}

Status read_dequantize(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * integers, importer.input("input"));
  return finish_dequantize(importer, integers);
}

// Weights that the compiler dequantises.
Status read_affine_dequantize(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Tensor integers, importer.constant_of("quantized_data"));
  return finish_dequantize(importer, importer.constant(std::move(integers)));
}

Status read_quantize(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("input"));
  EDGEWRIGHT_ASSIGN(const std::string name, importer.text("output_dtype", ""));
  if (name != "int8" && name != "uint8") return bad_input("output_dtype '{}'", name);
  const DType dtype = name == "int8" ? DType::kInt8 : DType::kUint8;
  EDGEWRIGHT_ASSIGN(Scale scale, read_scale(importer, dtype));
  return importer.finish(importer.add("QuantizeLinear", {x, scale.scale, scale.zero}, dtype,
                                      std::move(scale.attributes)));
}

constexpr ImportRow kRows[] = {
    {"matmul", read_matmul},         {"linear", read_linear},
    {"dequantize", read_dequantize}, {"constexpr_affine_dequantize", read_affine_dequantize},
    {"quantize", read_quantize},
};

}  // namespace

std::span<const ImportRow> import_product_rows() { return kRows; }

}  // namespace edgewright::coreml
