#include "api/shared_model.h"

#include <filesystem>

#include "base/file.h"
#include "base/json.h"

namespace edgewright {
namespace {

constexpr const char* kFormat = "edgewright.shared/1";
constexpr size_t kMostBytes = size_t{64} << 20;
constexpr uint64_t kMostElements = uint64_t{1} << 30;

Json layer_json(const SharedLayer& layer) {
  return {{"name", layer.name},
          {"input", layer.input},
          {"output", layer.output},
          {"first_model", layer.first_model},
          {"second_model", layer.second_model},
          {"input_dims", layer.input_dims},
          {"output_dims", layer.output_dims},
          {"rows", layer.rows},
          {"positions", layer.positions},
          {"rows_last", layer.rows_last},
          {"largest_value", layer.largest_value},
          {"stage", layer.stage},
          {"bias", layer.bias}};
}

// JSON's exceptions stay in here.
SharedLayer layer_from(const Json& json) {
  SharedLayer layer;
  json.at("name").get_to(layer.name);
  json.at("input").get_to(layer.input);
  json.at("output").get_to(layer.output);
  json.at("first_model").get_to(layer.first_model);
  json.at("second_model").get_to(layer.second_model);
  json.at("input_dims").get_to(layer.input_dims);
  json.at("output_dims").get_to(layer.output_dims);
  json.at("rows").get_to(layer.rows);
  json.at("positions").get_to(layer.positions);
  json.at("rows_last").get_to(layer.rows_last);
  json.at("largest_value").get_to(layer.largest_value);
  json.at("stage").get_to(layer.stage);
  json.at("bias").get_to(layer.bias);
  return layer;
}

SharedModel model_from(const Json& json) {
  SharedModel model;
  json.at("fraction_bits").get_to(model.fraction_bits);
  json.at("inputs").get_to(model.inputs);
  json.at("input_dims").get_to(model.input_dims);
  json.at("outputs").get_to(model.outputs);
  json.at("last_stage").get_to(model.last_stage);
  for (const Json& layer : json.at("layers")) model.layers.push_back(layer_from(layer));
  return model;
}

bool is_file_name(const std::string& name) {
  return name.find('/') == std::string::npos && name != "..";
}

bool has_elements(const Dims& dims, uint64_t count) {
  const auto found = checked_element_count(dims);
  return found.ok() && static_cast<uint64_t>(*found) == count && count <= kMostElements;
}

bool is_sound(const SharedLayer& layer) {
  const auto inputs = checked_element_count(layer.input_dims);
  return layer.rows > 0 && layer.rows <= kMostElements && layer.positions > 0 &&
         layer.positions <= kMostElements &&
         has_elements(layer.output_dims, layer.rows * layer.positions) && inputs.ok() &&
         static_cast<uint64_t>(*inputs) <= kMostElements && layer.bias.size() == layer.rows &&
         layer.largest_value > 0 && is_file_name(layer.stage);
}

}  // namespace

std::vector<size_t> SharedModel::result_sizes() const {
  std::vector<size_t> sizes;
  sizes.reserve(layers.size());
  for (const SharedLayer& layer : layers) sizes.push_back(layer.rows * layer.positions);
  return sizes;
}

std::string shared_model_path(const std::string& folder) {
  return (std::filesystem::path(folder) / "shared.json").string();
}

std::string mask_file_path(const std::string& folder) {
  return (std::filesystem::path(folder) / "masks.bin").string();
}

Status write_shared_model(const SharedModel& model, const std::string& folder) {
  Json json;
  json["format"] = kFormat;
  json["fraction_bits"] = model.fraction_bits;
  json["inputs"] = model.inputs;
  json["input_dims"] = model.input_dims;
  json["outputs"] = model.outputs;
  json["last_stage"] = model.last_stage;
  json["layers"] = Json::array();
  for (const SharedLayer& layer : model.layers) json["layers"].push_back(layer_json(layer));
  return write_file(shared_model_path(folder), json.dump(1) + "\n");
}

Result<SharedModel> read_shared_model(const std::string& folder) {
  const std::string path = shared_model_path(folder);
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMostBytes));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("format", Json()) != kFormat) {
    return bad_input("{}: found no shared model, expected format {}; split share writes it", path,
                     kFormat);
  }
  SharedModel model;
  try {
    model = model_from(json);
  } catch (const Json::exception& error) {
    return bad_input("{}: {}; share the model again", path, error.what());
  }
  bool is_good = model.fraction_bits >= 1 && model.fraction_bits <= 30 && !model.layers.empty() &&
                 model.inputs.size() == model.input_dims.size() && is_file_name(model.last_stage);
  for (const SharedLayer& layer : model.layers) is_good = is_good && is_sound(layer);
  if (!is_good) {
    return bad_input("{}: found layers whose sizes do not fit each other; share the model again",
                     path);
  }
  return model;
}

}  // namespace edgewright
