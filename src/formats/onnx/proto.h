#pragma once

#include <onnx/onnx-data.pb.h>
#include <onnx/onnx_pb.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "graph/type.h"
#include "tensor/attributes.h"

// Between ONNX protocol buffers and the program's own types.
namespace edgewright::onnx_io {

class ExternalData;

// The number of an element type in a file; kBadInput when ONNX does not define it.
Result<DType> dtype_of_number(int64_t number);

Result<ValueType> from_type_proto(const onnx::TypeProto& proto);
void to_type_proto(const ValueType& type, onnx::TypeProto& proto);

// Takes the contents out of the message: raw data changes its owner without a copy. `external` may
// be null where external data has no place; then it is refused.
Result<Tensor> take_tensor(onnx::TensorProto& proto, ExternalData* external);
Result<Tensor> take_dense(onnx::SparseTensorProto& proto, ExternalData* external);
// The elements are written into the message; strings and raw little-endian bytes.
void to_tensor_proto(const Tensor& tensor, onnx::TensorProto& proto);

// Any kind but graphs and references. The type field may be missing, as old files have it.
Result<AttributeValue> take_attribute(onnx::AttributeProto& proto, ExternalData* external);
onnx::AttributeProto::AttributeType attribute_type(const onnx::AttributeProto& proto);
// Opaque messages that were parsed from a file parse again.
void to_attribute_proto(const std::string& name, const AttributeValue& value,
                        onnx::AttributeProto& proto);

// The tensor that a `Constant` node with these attributes gives.
Result<Tensor> constant_of_attributes(const Attributes& attributes);

// "ai.onnx" is another way to write the empty domain.
inline std::string canonical_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

}  // namespace edgewright::onnx_io
