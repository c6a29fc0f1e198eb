#include "serve/protocol/infer_json.h"

#include <span>
#include <utility>

#include "serve/protocol/datatype.h"
#include "serve/protocol/json_tensor.h"
#include "serve/protocol/number_array.h"
#include "serve/protocol/raw_tensor.h"

namespace edgewright::oip {
namespace {

// Parameters that say how data travel (Triton's binary tensor data and shared memory extensions);
// they are taken out of the others.
constexpr std::string_view kBinarySize = "binary_data_size";
constexpr std::string_view kBinaryData = "binary_data";
constexpr std::string_view kBinaryOutputs = "binary_data_output";
constexpr std::string_view kClassification = "classification";
constexpr std::string_view kSharedMemory = "shared_memory_region";

Result<std::string> text_of(const Json& object, const char* key, bool required) {
  const auto it = object.find(key);
  // kserve's Python server says null for what it has not.
  if (it == object.end() || it->is_null()) {
    if (!required) return std::string();
    return bad_input("'{}' is missing", key);
  }
  if (!it->is_string()) return bad_input("'{}' is no text", key);
  return it->get<std::string>();
}

Result<Dims> shape_of(const Json& object) {
  const auto it = object.find("shape");
  if (it == object.end() || !it->is_array()) return bad_input("'shape' is missing or no array");
  Dims dims;
  for (const Json& item : *it) {
    if (!item.is_number_unsigned() || !std::in_range<int64_t>(item.get<uint64_t>())) {
      return bad_input("'shape' holds {}, expected sizes of 0 or more", item.dump());
    }
    dims.push_back(item.get<int64_t>());
  }
  return dims;
}

Result<Parameters> parameters_of(const Json& object) {
  Parameters parameters;
  const auto it = object.find("parameters");
  if (it == object.end() || it->is_null()) return parameters;
  if (!it->is_object()) return bad_input("'parameters' is no object");
  for (const auto& [key, value] : it->items()) {
    if (value.is_boolean()) {
      parameters[key] = value.get<bool>();
    } else if (value.is_string()) {
      parameters[key] = value.get<std::string>();
    } else if (value.is_number_float()) {
      parameters[key] = value.get<double>();
    } else if (value.is_number() &&
               (!value.is_number_unsigned() || std::in_range<int64_t>(value.get<uint64_t>()))) {
      parameters[key] = value.get<int64_t>();
    } else {
      return bad_input("parameter '{}' is no text, number or boolean", key);
    }
  }
  return parameters;
}

// Takes a parameter out; an error when it is of another type.
template <class T>
Result<std::optional<T>> take(Parameters& parameters, std::string_view key) {
  const auto it = parameters.find(std::string(key));
  if (it == parameters.end()) return std::optional<T>();
  const T* value = std::get_if<T>(&it->second);
  if (value == nullptr) return bad_input("parameter '{}' has another type than expected", key);
  std::optional<T> taken = *value;
  parameters.erase(it);
  return taken;
}

Status refuse_shared_memory(const Parameters& parameters) {
  if (!parameters.contains(std::string(kSharedMemory))) return {};
  return unsupported("shared memory is not supported; send the data in the request");
}

// The JSON of a body, the numbers that stand aside (see set_numbers_aside), and the binary data
// behind it.
struct Parts {
  Json json;
  std::string_view binary;
  std::vector<std::string_view> arrays;
};

Result<Parts> split_body(std::string_view body, std::optional<size_t> json_bytes,
                         const DecodeLimits& limits) {
  const size_t length = json_bytes.value_or(body.size());
  if (length > body.size()) {
    return bad_input("{} says {} bytes, the body has {}", kJsonLengthHeader, length, body.size());
  }
  if (length > limits.max_json_bytes) {
    return bad_input("{} bytes of JSON, at most {} are read; send tensors as binary data", length,
                     limits.max_json_bytes);
  }
  Parts parts{{}, body.substr(length), {}};
  if (auto aside = set_numbers_aside(body.substr(0, length))) {
    EDGEWRIGHT_ASSIGN(parts.json, parse_json(aside->document));
    parts.arrays = std::move(aside->arrays);
  } else {
    EDGEWRIGHT_ASSIGN(parts.json, parse_json(body.substr(0, length)));
  }
  if (!parts.json.is_object()) return bad_input("the body is no JSON object");
  return parts;
}

// `data` are the elements, or the place among the arrays.
Result<Tensor> tensor_of(DType dtype, Dims dims, const Json& data,
                         std::span<const std::string_view> arrays) {
  if (arrays.empty()) return tensor_from_json(dtype, std::move(dims), data);
  // A key that is written with escapes did not look like one.
  if (!data.is_number_unsigned() || data.get<size_t>() >= arrays.size()) {
    return bad_input("'data' is written in two ways; write its name without escapes");
  }
  const std::string_view array = arrays[data.get<size_t>()];
  if (auto tensor = tensor_from_numbers(dtype, dims, array)) return *std::move(tensor);
  // The parser says what is wrong with it.
  EDGEWRIGHT_ASSIGN(const Json parsed, parse_json(array));
  return tensor_from_json(dtype, std::move(dims), parsed);
}

// Reads one tensor; its binary data are taken off the front of `binary`.
Result<NamedTensor> read_tensor(const Json& item, std::span<const std::string_view> arrays,
                                std::string_view& binary) {
  NamedTensor tensor;
  EDGEWRIGHT_ASSIGN(tensor.name, text_of(item, "name", true));
  EDGEWRIGHT_ASSIGN(const std::string datatype, text_of(item, "datatype", true));
  const auto dtype = datatype_from_name(datatype);
  if (!dtype)
    return bad_input("datatype '{}' is unknown; expected FP32, INT64, BYTES, ...", datatype);
  EDGEWRIGHT_ASSIGN(Dims dims, shape_of(item));
  EDGEWRIGHT_ASSIGN(tensor.parameters, parameters_of(item));
  EDGEWRIGHT_TRY(refuse_shared_memory(tensor.parameters));
  EDGEWRIGHT_ASSIGN(const auto size, take<int64_t>(tensor.parameters, kBinarySize));
  const auto data = item.find("data");
  tensor.binary = size.has_value();
  if (!size) {
    if (data == item.end()) return bad_input("neither 'data' nor '{}' is there", kBinarySize);
    EDGEWRIGHT_ASSIGN(tensor.tensor, tensor_of(*dtype, std::move(dims), *data, arrays));
    return tensor;
  }
  if (data != item.end()) return bad_input("both 'data' and '{}' are there", kBinarySize);
  if (*size < 0 || static_cast<size_t>(*size) > binary.size()) {
    return bad_input("'{}' is {}, of which {} bytes are there", kBinarySize, *size, binary.size());
  }
  const auto bytes = static_cast<size_t>(*size);
  EDGEWRIGHT_ASSIGN(tensor.tensor,
                    tensor_from_raw(*dtype, std::move(dims), binary.substr(0, bytes)));
  binary.remove_prefix(bytes);
  return tensor;
}

Result<std::vector<NamedTensor>> read_tensors(const Parts& parts, const char* key,
                                              const DecodeLimits& limits) {
  std::string_view binary = parts.binary;
  const auto list = parts.json.find(key);
  if (list == parts.json.end() || !list->is_array())
    return bad_input("'{}' is missing or no array", key);
  if (list->size() > limits.max_tensors) {
    return bad_input("{} {}, at most {} are read", list->size(), key, limits.max_tensors);
  }
  std::vector<NamedTensor> tensors;
  for (const Json& item : *list) {
    const std::string place = fmt::format("{}[{}]", key, tensors.size());
    if (!item.is_object()) return bad_input("{} is no object", place);
    Result<NamedTensor> tensor = read_tensor(item, parts.arrays, binary);
    if (!tensor.ok()) return std::move(tensor).error().at(place);
    tensors.push_back(*std::move(tensor));
  }
  if (!binary.empty()) {
    return bad_input("{} bytes of binary data belong to no tensor", binary.size());
  }
  return tensors;
}

Result<RequestedOutput> read_output(const Json& item, bool binary_by_default) {
  RequestedOutput output;
  EDGEWRIGHT_ASSIGN(output.name, text_of(item, "name", true));
  EDGEWRIGHT_ASSIGN(output.parameters, parameters_of(item));
  EDGEWRIGHT_TRY(refuse_shared_memory(output.parameters));
  EDGEWRIGHT_ASSIGN(const auto binary, take<bool>(output.parameters, kBinaryData));
  EDGEWRIGHT_ASSIGN(const auto classes, take<int64_t>(output.parameters, kClassification));
  output.binary = binary.value_or(binary_by_default);
  output.classes = classes.value_or(0);
  if (output.classes < 0) return bad_input("'{}' is {}", kClassification, output.classes);
  return output;
}

Result<std::vector<RequestedOutput>> read_outputs(const Json& json, bool binary_by_default,
                                                  const DecodeLimits& limits) {
  std::vector<RequestedOutput> outputs;
  const auto list = json.find("outputs");
  if (list == json.end()) return outputs;
  if (!list->is_array() || list->size() > limits.max_tensors) {
    return bad_input("'outputs' is no array of at most {}", limits.max_tensors);
  }
  for (const Json& item : *list) {
    const std::string place = fmt::format("outputs[{}]", outputs.size());
    if (!item.is_object()) return bad_input("{} is no object", place);
    Result<RequestedOutput> output = read_output(item, binary_by_default);
    if (!output.ok()) return std::move(output).error().at(place);
    outputs.push_back(*std::move(output));
  }
  return outputs;
}

// Objects are written by hand: a tree of them would take longer than a small model.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  std::string& key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return out_;
  }
  void text(std::string_view name, std::string_view value) { key(name) += json_string(value); }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

std::string parameter_text(const Parameter& parameter) {
  return std::visit([](const auto& value) { return Json(value).dump(); }, parameter);
}

// `extra` are those that say how the data travel, already as JSON.
void write_parameters(ObjectWriter& object, const Parameters& parameters,
                      std::span<const std::pair<std::string_view, std::string>> extra) {
  if (parameters.empty() && extra.empty()) return;
  ObjectWriter inner(object.key("parameters"));
  for (const auto& [name, value] : extra) inner.key(name) += value;
  for (const auto& [name, value] : parameters) {
    const std::string escaped = json_string(name);
    inner.key(std::string_view(escaped).substr(1, escaped.size() - 2)) += parameter_text(value);
  }
  inner.end();
}

Status write_tensor(const NamedTensor& named, std::string& out) {
  const Tensor& tensor = named.tensor;
  const std::string_view datatype = datatype_name(tensor.dtype());
  if (datatype.empty()) {
    return unsupported("'{}' is of type {}, which the protocol has not", named.name,
                       dtype_name(tensor.dtype()));
  }
  ObjectWriter object(out);
  object.text("name", named.name);
  object.key("datatype") += fmt::format("\"{}\"", datatype);
  object.key("shape") += fmt::format("[{}]", fmt::join(tensor.dims(), ","));
  if (named.binary) {
    const std::pair<std::string_view, std::string> size = {kBinarySize,
                                                           std::to_string(raw_bytes(tensor))};
    write_parameters(object, named.parameters, {&size, 1});
  } else {
    write_parameters(object, named.parameters, {});
    if (Status done = append_json(tensor, object.key("data")); !done.ok()) {
      return std::move(done).error().at(named.name);
    }
  }
  object.end();
  return {};
}

Status write_tensors(std::span<const NamedTensor> tensors, std::string& out) {
  out += '[';
  for (const NamedTensor& tensor : tensors) {
    if (out.back() != '[') out += ',';
    EDGEWRIGHT_TRY(write_tensor(tensor, out));
  }
  out += ']';
  return {};
}

void write_outputs(const InferRequest& request, ObjectWriter& object) {
  if (request.outputs.empty()) return;
  std::string& out = object.key("outputs");
  out += '[';
  for (const RequestedOutput& output : request.outputs) {
    if (out.back() != '[') out += ',';
    ObjectWriter item(out);
    item.text("name", output.name);
    std::vector<std::pair<std::string_view, std::string>> extra = {
        {kBinaryData, output.binary ? "true" : "false"}};
    if (output.classes > 0) extra.emplace_back(kClassification, std::to_string(output.classes));
    write_parameters(item, output.parameters, extra);
    item.end();
  }
  out += ']';
}

// The data of the binary tensors go straight from the tensors into the body, once.
HttpBody with_data(std::string json, std::span<const NamedTensor> tensors) {
  HttpBody body;
  size_t bytes = json.size();
  for (const NamedTensor& named : tensors) {
    if (!named.binary) continue;
    body.json_bytes = json.size();
    bytes += raw_bytes(named.tensor);
  }
  body.bytes = std::move(json);
  body.bytes.reserve(bytes);
  for (const NamedTensor& named : tensors) {
    if (named.binary) append_raw(named.tensor, body.bytes);
  }
  return body;
}

}  // namespace

Result<InferRequest> decode_infer_request(std::string_view body, std::optional<size_t> json_bytes,
                                          const DecodeLimits& limits) {
  InferRequest request;
  EDGEWRIGHT_ASSIGN(const Parts parts, split_body(body, json_bytes, limits));
  EDGEWRIGHT_ASSIGN(request.id, text_of(parts.json, "id", false));
  EDGEWRIGHT_ASSIGN(request.parameters, parameters_of(parts.json));
  EDGEWRIGHT_ASSIGN(const auto binary, take<bool>(request.parameters, kBinaryOutputs));
  request.binary_outputs = binary.value_or(false);
  EDGEWRIGHT_ASSIGN(request.inputs, read_tensors(parts, "inputs", limits));
  EDGEWRIGHT_ASSIGN(request.outputs, read_outputs(parts.json, request.binary_outputs, limits));
  return request;
}

Result<HttpBody> encode_infer_request(const InferRequest& request) {
  std::string json;
  ObjectWriter object(json);
  if (!request.id.empty()) object.text("id", request.id);
  std::vector<std::pair<std::string_view, std::string>> extra;
  if (request.binary_outputs) extra.emplace_back(kBinaryOutputs, "true");
  write_parameters(object, request.parameters, extra);
  EDGEWRIGHT_TRY(write_tensors(request.inputs, object.key("inputs")));
  write_outputs(request, object);
  object.end();
  return with_data(std::move(json), request.inputs);
}

Result<HttpBody> encode_infer_response(const InferResponse& response) {
  std::string json;
  ObjectWriter object(json);
  object.text("model_name", response.model);
  if (!response.version.empty()) object.text("model_version", response.version);
  if (!response.id.empty()) object.text("id", response.id);
  write_parameters(object, response.parameters, {});
  EDGEWRIGHT_TRY(write_tensors(response.outputs, object.key("outputs")));
  object.end();
  return with_data(std::move(json), response.outputs);
}

Result<InferResponse> decode_infer_response(std::string_view body, std::optional<size_t> json_bytes,
                                            const DecodeLimits& limits) {
  InferResponse response;
  EDGEWRIGHT_ASSIGN(const Parts parts, split_body(body, json_bytes, limits));
  EDGEWRIGHT_ASSIGN(response.model, text_of(parts.json, "model_name", true));
  EDGEWRIGHT_ASSIGN(response.version, text_of(parts.json, "model_version", false));
  EDGEWRIGHT_ASSIGN(response.id, text_of(parts.json, "id", false));
  EDGEWRIGHT_ASSIGN(response.parameters, parameters_of(parts.json));
  EDGEWRIGHT_ASSIGN(response.outputs, read_tensors(parts, "outputs", limits));
  return response;
}

}  // namespace edgewright::oip
