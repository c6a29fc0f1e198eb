#include "formats/onnx/proto.h"

namespace edgewright::onnx_io {
namespace {

Shape from_shape_proto(const onnx::TensorShapeProto& proto) {
  Shape shape;
  shape.reserve(static_cast<size_t>(proto.dim_size()));
  for (const auto& dim : proto.dim()) {
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      shape.emplace_back(dim.dim_value());
    } else if (dim.has_dim_param() && !dim.dim_param().empty()) {
      shape.emplace_back(dim.dim_param());
    } else {
      shape.emplace_back();
    }
  }
  return shape;
}

template <class TensorType>
Result<ValueType> from_tensor_type(const TensorType& proto, ValueType::Kind kind) {
  ValueType type;
  type.kind = kind;
  if (proto.elem_type() != 0) {
    EDGEWRIGHT_ASSIGN(type.dtype, dtype_of_number(proto.elem_type()));
  }
  if (proto.has_shape()) type.shape = from_shape_proto(proto.shape());
  return type;
}

Result<ValueType> wrapped(ValueType::Kind kind, const onnx::TypeProto& element) {
  ValueType type;
  type.kind = kind;
  EDGEWRIGHT_ASSIGN(ValueType inner, from_type_proto(element));
  type.element = std::make_shared<const ValueType>(std::move(inner));
  return type;
}

template <class TensorType>
void to_tensor_type(const ValueType& type, TensorType& proto) {
  proto.set_elem_type(static_cast<int>(type.dtype));
  if (!type.shape) return;
  auto* shape = proto.mutable_shape();
  for (const Dim& dim : *type.shape) {
    auto* dim_proto = shape->add_dim();
    if (dim.is_known()) {
      dim_proto->set_dim_value(dim.value);
    } else if (!dim.symbol.empty()) {
      dim_proto->set_dim_param(dim.symbol);
    }
  }
}

}  // namespace

Result<DType> dtype_of_number(int64_t number) {
  if (number == onnx::TensorProto::FLOAT6E2M3 || number == onnx::TensorProto::FLOAT6E3M2) {
    return unsupported("element type number {} (a 6-bit float)", number);
  }
  if (number <= 0 || number >= kDTypeCount) {
    return bad_input("element type number {} is not one of 1 to {}", number, kDTypeCount - 1);
  }
  return static_cast<DType>(number);
}

Result<ValueType> from_type_proto(const onnx::TypeProto& proto) {
  switch (proto.value_case()) {
    case onnx::TypeProto::kTensorType:
      return from_tensor_type(proto.tensor_type(), ValueType::Kind::kTensor);
    case onnx::TypeProto::kSparseTensorType:
      return from_tensor_type(proto.sparse_tensor_type(), ValueType::Kind::kSparseTensor);
    case onnx::TypeProto::kSequenceType:
      return wrapped(ValueType::Kind::kSequence, proto.sequence_type().elem_type());
    case onnx::TypeProto::kOptionalType:
      return wrapped(ValueType::Kind::kOptional, proto.optional_type().elem_type());
    case onnx::TypeProto::kMapType: {
      EDGEWRIGHT_ASSIGN(ValueType type,
                        wrapped(ValueType::Kind::kMap, proto.map_type().value_type()));
      EDGEWRIGHT_ASSIGN(type.dtype, dtype_of_number(proto.map_type().key_type()));
      return type;
    }
    case onnx::TypeProto::kOpaqueType: {
      ValueType type;
      type.kind = ValueType::Kind::kOpaque;
      return type;
    }
    case onnx::TypeProto::VALUE_NOT_SET: break;
  }
  return ValueType();
}

void to_type_proto(const ValueType& type, onnx::TypeProto& proto) {
  switch (type.kind) {
    case ValueType::Kind::kUnknown: return;
    case ValueType::Kind::kTensor: to_tensor_type(type, *proto.mutable_tensor_type()); return;
    case ValueType::Kind::kSparseTensor:
      to_tensor_type(type, *proto.mutable_sparse_tensor_type());
      return;
    case ValueType::Kind::kSequence:
      to_type_proto(*type.element, *proto.mutable_sequence_type()->mutable_elem_type());
      return;
    case ValueType::Kind::kOptional:
      to_type_proto(*type.element, *proto.mutable_optional_type()->mutable_elem_type());
      return;
    case ValueType::Kind::kMap:
      proto.mutable_map_type()->set_key_type(static_cast<int>(type.dtype));
      to_type_proto(*type.element, *proto.mutable_map_type()->mutable_value_type());
      return;
    case ValueType::Kind::kOpaque: proto.mutable_opaque_type(); return;
  }
}

}  // namespace edgewright::onnx_io
