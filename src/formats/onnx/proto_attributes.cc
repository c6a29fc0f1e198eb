#include "formats/onnx/proto.h"

namespace edgewright::onnx_io {
namespace {

using onnx::AttributeProto;

template <class Field>
OpaqueAttribute opaque(int kind, const Field& messages) {
  OpaqueAttribute attribute{kind, {}};
  for (const auto& message : messages) attribute.messages.push_back(message.SerializeAsString());
  return attribute;
}

Result<AttributeValue> take_tensors(AttributeProto& proto, ExternalData* external) {
  std::vector<Tensor> tensors;
  for (auto& tensor_proto : *proto.mutable_tensors()) {
    EDGEWRIGHT_ASSIGN(Tensor tensor, take_tensor(tensor_proto, external));
    tensors.push_back(std::move(tensor));
  }
  return AttributeValue(std::move(tensors));
}

template <class Field>
void parse_into(const std::vector<std::string>& messages, Field* field) {
  for (const std::string& message : messages) field->Add()->ParseFromString(message);
}

// Writes one kind of attribute; std::visit picks it.
struct AttributeWriter {
  AttributeProto& proto;

  void operator()(int64_t value) const {
    proto.set_type(AttributeProto::INT);
    proto.set_i(value);
  }
  void operator()(float value) const {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(value);
  }
  void operator()(const Tensor& value) const {
    proto.set_type(AttributeProto::TENSOR);
    to_tensor_proto(value, *proto.mutable_t());
  }
  void operator()(const std::vector<int64_t>& values) const {
    proto.set_type(AttributeProto::INTS);
    proto.mutable_ints()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<float>& values) const {
    proto.set_type(AttributeProto::FLOATS);
    proto.mutable_floats()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<std::string>& values) const {
    proto.set_type(AttributeProto::STRINGS);
    for (const std::string& value : values) proto.add_strings(value);
  }
  void operator()(const std::vector<Tensor>& values) const {
    proto.set_type(AttributeProto::TENSORS);
    for (const Tensor& value : values) to_tensor_proto(value, *proto.add_tensors());
  }
  void operator()(const OpaqueAttribute& value) const {
    proto.set_type(static_cast<AttributeProto::AttributeType>(value.kind));
    switch (value.kind) {
      case AttributeProto::SPARSE_TENSOR:
        proto.mutable_sparse_tensor()->ParseFromString(value.messages.front());
        break;
      case AttributeProto::TYPE_PROTO:
        proto.mutable_tp()->ParseFromString(value.messages.front());
        break;
      case AttributeProto::SPARSE_TENSORS:
        parse_into(value.messages, proto.mutable_sparse_tensors());
        break;
      default: parse_into(value.messages, proto.mutable_type_protos()); break;
    }
  }
};

template <class T>
Tensor vector_tensor(const std::vector<T>& values) {
  return Tensor::of<T>({static_cast<int64_t>(values.size())}, std::span<const T>(values));
}

Result<Tensor> dense_of_opaque(const OpaqueAttribute& attribute) {
  onnx::SparseTensorProto proto;
  if (attribute.kind != AttributeProto::SPARSE_TENSOR ||
      !proto.ParseFromString(attribute.messages.front())) {
    return bad_input("attribute 'sparse_value' is not a sparse tensor");
  }
  return take_dense(proto, nullptr);
}

}  // namespace

AttributeProto::AttributeType attribute_type(const AttributeProto& proto) {
  if (proto.type() != AttributeProto::UNDEFINED) return proto.type();
  if (proto.has_f()) return AttributeProto::FLOAT;
  if (proto.has_i()) return AttributeProto::INT;
  if (proto.has_s()) return AttributeProto::STRING;
  if (proto.has_t()) return AttributeProto::TENSOR;
  if (proto.has_g()) return AttributeProto::GRAPH;
  if (proto.floats_size() > 0) return AttributeProto::FLOATS;
  if (proto.ints_size() > 0) return AttributeProto::INTS;
  if (proto.strings_size() > 0) return AttributeProto::STRINGS;
  if (proto.tensors_size() > 0) return AttributeProto::TENSORS;
  if (proto.graphs_size() > 0) return AttributeProto::GRAPHS;
  return AttributeProto::UNDEFINED;
}

Result<AttributeValue> take_attribute(AttributeProto& proto, ExternalData* external) {
  switch (const auto type = attribute_type(proto)) {
    case AttributeProto::FLOAT: return AttributeValue(proto.f());
    case AttributeProto::INT: return AttributeValue(static_cast<int64_t>(proto.i()));
    case AttributeProto::STRING: return AttributeValue(std::move(*proto.mutable_s()));
    case AttributeProto::TENSOR: {
      EDGEWRIGHT_ASSIGN(Tensor tensor, take_tensor(*proto.mutable_t(), external));
      return AttributeValue(std::move(tensor));
    }
    case AttributeProto::FLOATS:
      return AttributeValue(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case AttributeProto::INTS:
      return AttributeValue(std::vector<int64_t>(proto.ints().begin(), proto.ints().end()));
    case AttributeProto::STRINGS:
      return AttributeValue(
          std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case AttributeProto::TENSORS: return take_tensors(proto, external);
    case AttributeProto::SPARSE_TENSOR:
      return AttributeValue(OpaqueAttribute{type, {proto.sparse_tensor().SerializeAsString()}});
    case AttributeProto::SPARSE_TENSORS:
      return AttributeValue(opaque(type, proto.sparse_tensors()));
    case AttributeProto::TYPE_PROTO:
      return AttributeValue(OpaqueAttribute{type, {proto.tp().SerializeAsString()}});
    case AttributeProto::TYPE_PROTOS: return AttributeValue(opaque(type, proto.type_protos()));
    default:
      return bad_input("attribute '{}' has no value of a known kind (type {})", proto.name(),
                       static_cast<int>(type));
  }
}

void to_attribute_proto(const std::string& name, const AttributeValue& value,
                        AttributeProto& proto) {
  proto.set_name(name);
  std::visit(AttributeWriter{proto}, value);
}

Result<Tensor> constant_of_attributes(const Attributes& attributes) {
  if (attributes.size() != 1) {
    return bad_input("a Constant with {} attributes, exactly one value is expected",
                     attributes.size());
  }
  const auto& [name, value] = *attributes.begin();
  if (const auto* tensor = std::get_if<Tensor>(&value)) return *tensor;
  if (const auto* real = std::get_if<float>(&value)) return Tensor::scalar(*real);
  if (const auto* integer = std::get_if<int64_t>(&value)) return Tensor::scalar(*integer);
  if (const auto* text = std::get_if<std::string>(&value)) return Tensor::strings({}, {*text});
  if (const auto* reals = std::get_if<std::vector<float>>(&value)) return vector_tensor(*reals);
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) {
    return vector_tensor(*integers);
  }
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    return Tensor::strings({static_cast<int64_t>(texts->size())}, *texts);
  }
  if (const auto* sparse = std::get_if<OpaqueAttribute>(&value)) return dense_of_opaque(*sparse);
  return bad_input("attribute '{}' of a Constant holds no tensor", name);
}

}  // namespace edgewright::onnx_io
