#include "api/server_half.h"

#include <filesystem>

#include "base/digest.h"
#include "base/file.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/type_inference.h"
#include "graph/text.h"
#include "serve/link_probe.h"
#include "serve/protocol/datatype.h"

namespace edgewright {
namespace {

// Letters, digits, '.', '_' and '-' are what every server and file system takes.
std::string plain_name(const std::string& text) {
  std::string plain = text;
  for (char& c : plain) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!is_plain) c = '_';
  }
  // Two layers must not become one.
  return plain == text ? plain : plain + "-" + sha256(text).substr(0, 4);
}

Result<std::string> port_text(const Value& value) {
  if (!value.type.is_tensor() || !value.type.shape) {
    return unsupported("value '{}' has type {}, and a server's half takes and gives tensors",
                       value.name, type_text(value.type));
  }
  const std::string_view datatype = oip::datatype_name(value.type.dtype);
  if (datatype.empty()) {
    return unsupported("value '{}' is {}, which the Open Inference Protocol does not have",
                       value.name, dtype_name(value.type.dtype));
  }
  std::vector<int64_t> dims;
  for (const Dim& dim : *value.type.shape) dims.push_back(dim.is_known() ? dim.value : -1);
  return fmt::format("  {{\n    name: \"{}\"\n    data_type: TYPE_{}\n    dims: [ {} ]\n  }}",
                     value.name, datatype == "BYTES" ? "STRING" : datatype, fmt::join(dims, ", "));
}

// As triton-inference-server/server describes it (docs/user_guide/model_configuration.md).
Result<std::string> config_text(const Graph& graph, const std::string& name) {
  std::vector<std::string> inputs, outputs;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    EDGEWRIGHT_ASSIGN(inputs.emplace_back(), port_text(*input));
  }
  for (const Value* output : graph.outputs()) {
    EDGEWRIGHT_ASSIGN(outputs.emplace_back(), port_text(*output));
  }
  return fmt::format(
      "name: \"{}\"\nbackend: \"onnxruntime\"\nmax_batch_size: 0\ninput [\n{}\n]\noutput "
      "[\n{}\n]\n",
      name, fmt::join(inputs, ",\n"), fmt::join(outputs, ",\n"));
}

}  // namespace

Result<HalfNames> HalfNames::of(const std::string& model_path) {
  HalfNames names;
  names.stem = plain_name(std::filesystem::path(model_path).stem().string());
  EDGEWRIGHT_ASSIGN(const std::string digest, sha256_of_file(model_path));
  names.digest = digest.substr(0, 8);
  return names;
}

std::string HalfNames::at(const std::string& cut, WireForm form) const {
  const std::string suffix =
      form == WireForm::kPlain ? "" : fmt::format("-{}", wire_form_name(form));
  return prefix() + plain_name(cut) + suffix;
}

Result<std::vector<std::string>> write_to_repository(const Model& model, const std::string& name,
                                                     const std::string& folder) {
  EDGEWRIGHT_ASSIGN(const std::string config, config_text(*model.graph, name));
  const auto place = std::filesystem::path(folder) / name;
  std::error_code error;
  std::filesystem::create_directories(place / "1", error);
  if (error) return usage_error("cannot make the folder {}: {}", place.string(), error.message());
  const std::string file = (place / "1" / "model.onnx").string();
  const std::string config_file = (place / "config.pbtxt").string();
  EDGEWRIGHT_TRY(export_onnx(model, file));
  EDGEWRIGHT_TRY(write_file(config_file, config));
  return std::vector<std::string>{config_file, file};
}

Result<std::vector<std::string>> write_coded_half(const Model& model, const std::string& name,
                                                  const std::string& folder) {
  const auto place = std::filesystem::path(folder) / name / "1";
  std::error_code error;
  std::filesystem::create_directories(place, error);
  if (error) return usage_error("cannot make the folder {}: {}", place.string(), error.message());
  std::string file = (place / "coded.onnx").string();
  EDGEWRIGHT_TRY(export_onnx(model, file));
  return std::vector<std::string>{std::move(file)};
}

Result<std::vector<std::string>> write_echo_model(const std::string& folder) {
  EDGEWRIGHT_ASSIGN(Model model, parse_model("graph %echo(%input: uint8[n]) -> (%data, %size) {\n"
                                             "  %data: uint8[n] = Identity(%input)\n"
                                             "  %size: int64[1] = Shape(%input)\n}\n"));
  return write_to_repository(model, std::string(kEchoModel), folder);
}

}  // namespace edgewright
