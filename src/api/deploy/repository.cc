#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "edgewright/deploy.h"
#include "edgewright/language.h"
#include "edgewright/session.h"

// A bundle's model as a model repository, and its description for KServe.
namespace edgewright {
namespace {

namespace fs = std::filesystem;

// What Kubernetes takes as a name (RFC 1123): lower-case letters, digits and dashes.
std::string service_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter) name += c;
    if (c >= 'A' && c <= 'Z') name += static_cast<char>(c - 'A' + 'a');
    if (!letter && (c == '-' || c == '_' || c == '.') && !name.empty()) name += '-';
  }
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? "model" : name.substr(0, 63);
}

// "float32" as model configurations say it: "TYPE_FP32"; empty for what they cannot say.
std::string config_type(std::string_view dtype) {
  if (dtype == "string") return "TYPE_STRING";
  if (dtype == "bool") return "TYPE_BOOL";
  if (dtype == "bfloat16") return "TYPE_BF16";
  std::string text = "TYPE_";
  if (dtype.starts_with("float")) return text + "FP" + std::string(dtype.substr(5));
  if (!dtype.starts_with("int") && !dtype.starts_with("uint")) return "";
  for (const char c : dtype) text += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

Result<std::string> ports_text(const char* kind, const std::vector<InterfaceValue>& ports) {
  std::string text;
  for (const InterfaceValue& port : ports) {
    const std::string type = config_type(port.dtype);
    if (type.empty() || !port.has_shape) {
      return unsupported("'{}' is {}, which a model configuration cannot describe", port.name,
                         port.has_shape ? port.dtype : "of unknown rank");
    }
    std::vector<std::string> dims;
    for (const std::string& dim : port.shape) {
      const bool is_number = !dim.empty() && dim.find_first_not_of("0123456789") == dim.npos;
      dims.push_back(is_number ? dim : "-1");
    }
    text += fmt::format("{} [ {{ name: \"{}\" data_type: {} dims: [ {} ] }} ]\n", kind, port.name,
                        type, fmt::join(dims, ", "));
  }
  return text;
}

Result<std::string> config_text(const std::string& name, const std::string& model) {
  if (is_language_model(model)) {
    return fmt::format("name: \"{}\"\nbackend: \"edgewright\"\nmax_batch_size: 0\n", name);
  }
  std::vector<InterfaceValue> inputs, outputs;
  const bool is_plan = model.ends_with(".ewplan");
  if (is_plan) {
    EDGEWRIGHT_ASSIGN(const InferenceSession session, InferenceSession::open(model));
    inputs = session.inputs();
    outputs = session.outputs();
  } else {
    EDGEWRIGHT_ASSIGN(const InspectReport report, inspect(model));
    inputs = report.inputs;
    outputs = report.outputs;
  }
  EDGEWRIGHT_ASSIGN(const std::string described_inputs, ports_text("input", inputs));
  EDGEWRIGHT_ASSIGN(const std::string described_outputs, ports_text("output", outputs));
  return fmt::format("name: \"{}\"\n{}: \"{}\"\nmax_batch_size: 0\n{}{}", name,
                     is_plan ? "backend" : "platform", is_plan ? "edgewright" : "onnxruntime_onnx",
                     described_inputs, described_outputs);
}

// Source: kserve.github.io, "InferenceService" v1beta1. ONNX models run on KServe's own Triton
// runtime; what only we read runs on an image with this program.
std::string service_text(const std::string& name, bool is_onnx) {
  std::string text = fmt::format(
      "# Copy this folder to the storage that storageUri names, then: kubectl apply -f ...\n"
      "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata:\n  name: {}\n"
      "spec:\n  predictor:\n",
      name);
  if (is_onnx) {
    return text +
           "    model:\n      modelFormat:\n        name: onnx\n      protocolVersion: v2\n"
           "      runtime: kserve-tritonserver\n      storageUri: pvc://models\n";
  }
  return text + fmt::format(
                    "    containers:\n      - name: kserve-container\n"
                    "        image: edgewright:{}  # an image of your own\n"
                    "        command: [edgewright, serve, /mnt/models, --host, 0.0.0.0, "
                    "--http-port, \"8080\", --grpc-port, \"-1\"]\n"
                    "        env:\n          - name: STORAGE_URI\n"
                    "            value: pvc://models\n"
                    "        ports:\n          - containerPort: 8080\n",
                    version());
}

}  // namespace

Result<std::vector<std::string>> export_bundle(const std::string& bundle, const std::string& model,
                                               const std::string& repository) {
  fs::path folder = fs::path(bundle).lexically_normal();
  if (folder.filename().empty()) folder = folder.parent_path();
  const std::string name = service_name(folder.filename().string());
  const fs::path source = fs::path(bundle) / model;
  EDGEWRIGHT_ASSIGN(const std::string config, config_text(name, source.string()));
  const fs::path place = fs::path(repository) / name;
  std::error_code error;
  fs::create_directories(place / "1", error);
  if (error) return usage_error("cannot make the folder {}: {}", place.string(), error.message());
  const fs::path file = place / "1" / ("model" + source.extension().string());
  EDGEWRIGHT_ASSIGN(const auto contents, MappedFile::open(source.string()));
  EDGEWRIGHT_ASSIGN(AtomicFile copy, AtomicFile::create(file.string()));
  EDGEWRIGHT_TRY(copy.write(contents->bytes()));
  EDGEWRIGHT_TRY(copy.commit());
  const std::string config_file = (place / "config.pbtxt").string();
  const std::string service_file = (fs::path(repository) / (name + ".yaml")).string();
  EDGEWRIGHT_TRY(write_file(config_file, config));
  EDGEWRIGHT_TRY(write_file(service_file, service_text(name, file.extension() == ".onnx")));
  return std::vector<std::string>{config_file, file.string(), service_file};
}

}  // namespace edgewright
