#include "serve/grpc/infer_messages.h"

#include <utility>

#include "serve/protocol/datatype.h"
#include "serve/protocol/raw_tensor.h"

namespace edgewright {
namespace {

using oip::Parameter;
using oip::Parameters;

using ParameterMap = google::protobuf::Map<std::string, inference::InferParameter>;

Result<Parameter> parameter_of(const inference::InferParameter& message) {
  switch (message.parameter_choice_case()) {
    case inference::InferParameter::kBoolParam: return Parameter(message.bool_param());
    case inference::InferParameter::kInt64Param: return Parameter(message.int64_param());
    case inference::InferParameter::kStringParam: return Parameter(message.string_param());
    case inference::InferParameter::kDoubleParam: return Parameter(message.double_param());
    case inference::InferParameter::kUint64Param:
      if (std::in_range<int64_t>(message.uint64_param())) {
        return Parameter(static_cast<int64_t>(message.uint64_param()));
      }
      break;
    default: break;
  }
  return bad_input("it has no value, or one beyond 64 bits with a sign");
}

Result<Parameters> parameters_of(const ParameterMap& map) {
  Parameters parameters;
  for (const auto& [name, message] : map) {
    Result<Parameter> parameter = parameter_of(message);
    if (!parameter.ok()) {
      return std::move(parameter).error().at(fmt::format("parameter '{}'", name));
    }
    parameters[name] = *std::move(parameter);
  }
  if (parameters.contains("shared_memory_region")) {
    return unsupported("shared memory is not supported; send the data in the request");
  }
  return parameters;
}

void write_parameters(const Parameters& parameters, ParameterMap& map) {
  for (const auto& [name, value] : parameters) {
    inference::InferParameter& message = map[name];
    if (const bool* flag = std::get_if<bool>(&value)) message.set_bool_param(*flag);
    if (const int64_t* number = std::get_if<int64_t>(&value)) message.set_int64_param(*number);
    if (const double* number = std::get_if<double>(&value)) message.set_double_param(*number);
    if (const std::string* text = std::get_if<std::string>(&value)) message.set_string_param(*text);
  }
}

// Elements that lie in one of the typed lists.
template <class T, class List>
Result<Tensor> tensor_from_list(Dims dims, const List& list) {
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (count != list.size()) return bad_input("found {} elements, expected {}", list.size(), count);
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(kDTypeOf<T>, std::move(dims)));
  T* out = tensor.mutable_data<T>();
  for (const auto value : list) {
    if constexpr (!std::is_same_v<T, bool> && std::is_integral_v<T>) {
      if (!std::in_range<T>(value)) return bad_input("element {} is out of range", value);
    }
    *out++ = static_cast<T>(value);
  }
  return tensor;
}

Result<Tensor> tensor_from_contents(DType dtype, Dims dims,
                                    const inference::InferTensorContents& contents) {
  switch (dtype) {
    case DType::kBool: return tensor_from_list<bool>(std::move(dims), contents.bool_contents());
    case DType::kInt8: return tensor_from_list<int8_t>(std::move(dims), contents.int_contents());
    case DType::kInt16: return tensor_from_list<int16_t>(std::move(dims), contents.int_contents());
    case DType::kInt32: return tensor_from_list<int32_t>(std::move(dims), contents.int_contents());
    case DType::kInt64:
      return tensor_from_list<int64_t>(std::move(dims), contents.int64_contents());
    case DType::kUint8: return tensor_from_list<uint8_t>(std::move(dims), contents.uint_contents());
    case DType::kUint16:
      return tensor_from_list<uint16_t>(std::move(dims), contents.uint_contents());
    case DType::kUint32:
      return tensor_from_list<uint32_t>(std::move(dims), contents.uint_contents());
    case DType::kUint64:
      return tensor_from_list<uint64_t>(std::move(dims), contents.uint64_contents());
    case DType::kFloat32: return tensor_from_list<float>(std::move(dims), contents.fp32_contents());
    case DType::kFloat64:
      return tensor_from_list<double>(std::move(dims), contents.fp64_contents());
    case DType::kString: {
      EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
      const auto& list = contents.bytes_contents();
      if (count != list.size()) {
        return bad_input("found {} texts, expected {}", list.size(), count);
      }
      return Tensor::strings(std::move(dims), std::vector<std::string>(list.begin(), list.end()));
    }
    default: return unsupported("{} travels as raw contents only", oip::datatype_name(dtype));
  }
}

// `raw`: the tensor's raw contents; null where the message has none.
template <class Message>
Result<oip::NamedTensor> tensor_of(const Message& message, const std::string* raw) {
  oip::NamedTensor named;
  named.name = message.name();
  named.binary = raw != nullptr;
  const auto dtype = oip::datatype_from_name(message.datatype());
  if (!dtype) return bad_input("datatype '{}' is unknown", message.datatype());
  Dims dims(message.shape().begin(), message.shape().end());
  EDGEWRIGHT_ASSIGN(named.parameters, parameters_of(message.parameters()));
  if (raw != nullptr) {
    if (message.has_contents()) return bad_input("both contents and raw contents are there");
    EDGEWRIGHT_ASSIGN(named.tensor, oip::tensor_from_raw(*dtype, std::move(dims), *raw));
  } else {
    EDGEWRIGHT_ASSIGN(named.tensor,
                      tensor_from_contents(*dtype, std::move(dims), message.contents()));
  }
  return named;
}

template <class Tensors, class Raws>
Result<std::vector<oip::NamedTensor>> tensors_of(const Tensors& tensors, const Raws& raws) {
  if (!raws.empty() && raws.size() != tensors.size()) {
    return bad_input("{} raw contents for {} tensors", raws.size(), tensors.size());
  }
  std::vector<oip::NamedTensor> list;
  for (int i = 0; i < tensors.size(); ++i) {
    Result<oip::NamedTensor> named = tensor_of(tensors[i], raws.empty() ? nullptr : &raws[i]);
    if (!named.ok()) {
      return std::move(named).error().at(fmt::format("tensor '{}'", tensors[i].name()));
    }
    list.push_back(*std::move(named));
  }
  return list;
}

template <class Message>
Status write_tensor(const oip::NamedTensor& named, Message& message, std::string& raw) {
  const std::string_view datatype = oip::datatype_name(named.tensor.dtype());
  if (datatype.empty()) {
    return unsupported("'{}' is of type {}, which the protocol has not", named.name,
                       dtype_name(named.tensor.dtype()));
  }
  message.set_name(named.name);
  message.set_datatype(std::string(datatype));
  for (const int64_t size : named.tensor.dims()) message.add_shape(size);
  write_parameters(named.parameters, *message.mutable_parameters());
  raw.reserve(oip::raw_bytes(named.tensor));
  oip::append_raw(named.tensor, raw);
  return {};
}

}  // namespace

Result<oip::InferRequest> from_message(const inference::ModelInferRequest& message) {
  oip::InferRequest request;
  request.model = message.model_name();
  request.version = message.model_version();
  request.id = message.id();
  EDGEWRIGHT_ASSIGN(request.parameters, parameters_of(message.parameters()));
  EDGEWRIGHT_ASSIGN(request.inputs, tensors_of(message.inputs(), message.raw_input_contents()));
  for (const auto& wanted : message.outputs()) {
    oip::RequestedOutput output{wanted.name(), true, 0, {}};
    EDGEWRIGHT_ASSIGN(output.parameters, parameters_of(wanted.parameters()));
    if (const auto found = output.parameters.find("classification");
        found != output.parameters.end()) {
      const int64_t* classes = std::get_if<int64_t>(&found->second);
      if (classes == nullptr || *classes < 0) return bad_input("'classification' is no number");
      output.classes = *classes;
      output.parameters.erase(found);
    }
    request.outputs.push_back(std::move(output));
  }
  return request;
}

Result<inference::ModelInferRequest> to_message(const oip::InferRequest& request) {
  inference::ModelInferRequest message;
  message.set_model_name(request.model);
  message.set_model_version(request.version);
  message.set_id(request.id);
  write_parameters(request.parameters, *message.mutable_parameters());
  for (const oip::NamedTensor& named : request.inputs) {
    EDGEWRIGHT_TRY(write_tensor(named, *message.add_inputs(), *message.add_raw_input_contents()));
  }
  for (const oip::RequestedOutput& wanted : request.outputs) {
    auto* output = message.add_outputs();
    output->set_name(wanted.name);
    write_parameters(wanted.parameters, *output->mutable_parameters());
    if (wanted.classes > 0) {
      (*output->mutable_parameters())["classification"].set_int64_param(wanted.classes);
    }
  }
  return message;
}

Result<inference::ModelInferResponse> to_message(const oip::InferResponse& response) {
  inference::ModelInferResponse message;
  message.set_model_name(response.model);
  message.set_model_version(response.version);
  message.set_id(response.id);
  write_parameters(response.parameters, *message.mutable_parameters());
  for (const oip::NamedTensor& named : response.outputs) {
    EDGEWRIGHT_TRY(write_tensor(named, *message.add_outputs(), *message.add_raw_output_contents()));
  }
  return message;
}

Result<oip::InferResponse> from_message(const inference::ModelInferResponse& message) {
  oip::InferResponse response;
  response.model = message.model_name();
  response.version = message.model_version();
  response.id = message.id();
  EDGEWRIGHT_ASSIGN(response.parameters, parameters_of(message.parameters()));
  EDGEWRIGHT_ASSIGN(response.outputs, tensors_of(message.outputs(), message.raw_output_contents()));
  return response;
}

}  // namespace edgewright
