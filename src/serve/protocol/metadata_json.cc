#include "serve/protocol/metadata_json.h"

#include "serve/protocol/json_tensor.h"

namespace edgewright::oip {
namespace {

std::string text_or_empty(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::vector<std::string> texts(const Json& object, const char* key) {
  std::vector<std::string> found;
  const auto it = object.find(key);
  if (it == object.end() || !it->is_array()) return found;
  for (const Json& item : *it) {
    if (item.is_string()) found.push_back(item.get<std::string>());
  }
  return found;
}

Json tensors_json(const std::vector<TensorMetadata>& tensors) {
  Json list = Json::array();
  for (const TensorMetadata& tensor : tensors) {
    list.push_back({{"name", tensor.name}, {"datatype", tensor.datatype}, {"shape", tensor.shape}});
  }
  return list;
}

Result<std::vector<TensorMetadata>> tensors_of(const Json& object, const char* key) {
  std::vector<TensorMetadata> tensors;
  const auto it = object.find(key);
  if (it == object.end()) return tensors;
  if (!it->is_array()) return bad_input("'{}' is no array", key);
  for (const Json& item : *it) {
    TensorMetadata tensor{text_or_empty(item, "name"), text_or_empty(item, "datatype"), {}};
    const auto shape = item.find("shape");
    if (tensor.name.empty() || shape == item.end() || !shape->is_array()) {
      return bad_input("{}[{}] has no name or no shape", key, tensors.size());
    }
    for (const Json& size : *shape) {
      if (!size.is_number_integer()) return bad_input("{}: shape is no list of sizes", tensor.name);
      tensor.shape.push_back(size.get<int64_t>());
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

Result<Json> object_of(std::string_view body) {
  EDGEWRIGHT_ASSIGN(Json json, parse_json(body));
  if (!json.is_object()) return bad_input("the body is no JSON object");
  return json;
}

// Names come from folders and models, whose bytes nobody has checked to be UTF-8.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string encode_server_metadata(const ServerMetadata& metadata) {
  return dump({{"name", metadata.name},
               {"version", metadata.version},
               {"extensions", metadata.extensions}});
}

Result<ServerMetadata> decode_server_metadata(std::string_view body) {
  EDGEWRIGHT_ASSIGN(const Json json, object_of(body));
  return ServerMetadata{text_or_empty(json, "name"), text_or_empty(json, "version"),
                        texts(json, "extensions")};
}

std::string encode_model_metadata(const ModelMetadata& metadata) {
  return dump({{"name", metadata.name},
               {"versions", metadata.versions},
               {"platform", metadata.platform},
               {"inputs", tensors_json(metadata.inputs)},
               {"outputs", tensors_json(metadata.outputs)}});
}

Result<ModelMetadata> decode_model_metadata(std::string_view body) {
  EDGEWRIGHT_ASSIGN(const Json json, object_of(body));
  ModelMetadata metadata;
  metadata.name = text_or_empty(json, "name");
  metadata.platform = text_or_empty(json, "platform");
  metadata.versions = texts(json, "versions");
  EDGEWRIGHT_ASSIGN(metadata.inputs, tensors_of(json, "inputs"));
  EDGEWRIGHT_ASSIGN(metadata.outputs, tensors_of(json, "outputs"));
  return metadata;
}

std::string encode_error(std::string_view message) { return dump({{"error", message}}); }

std::string decode_error(std::string_view body) {
  const Result<Json> json = object_of(body);
  if (json.ok()) {
    if (std::string text = text_or_empty(*json, "error"); !text.empty()) return text;
  }
  return std::string(body.substr(0, 200));
}

}  // namespace edgewright::oip
