#include "api/openvino_backend.h"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>

#include "api/export_formats.h"
#include "api/open_backend.h"
#include "formats/onnx/type_inference.h"
#include "formats/openvino/openvino.h"

namespace edgewright {
namespace {

// A folder that goes with everything in it.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> create() {
    std::error_code error;
    std::string path = std::filesystem::temp_directory_path(error) / "edgewright-XXXXXX";
    if (error || ::mkdtemp(path.data()) == nullptr) {
      return internal_error("cannot make a temporary folder {}", path);
    }
    return TemporaryFolder(std::move(path));
  }
  ~TemporaryFolder() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Status check_fixed(const Graph& graph) {
  for (const auto* values : {&graph.inputs(), &graph.outputs()}) {
    for (const Value* value : *values) {
      const bool is_fixed = value->type.is_tensor() && value->type.shape &&
                            known_dims(*value->type.shape).has_value();
      if (!is_fixed && !value->is_constant()) {
        return unsupported("'{}' has type {}; OpenVINO is given fixed shapes only (see --shape)",
                           value->name, type_text(value->type));
      }
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const OpenvinoLibrary>> openvino_library(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const OpenvinoLibrary>> loaded;
  const std::scoped_lock lock(mutex);
  if (const auto it = loaded.find(path); it != loaded.end()) return it->second;
  EDGEWRIGHT_ASSIGN(auto library, OpenvinoLibrary::load(path));
  loaded[path] = library;
  return library;
}

std::vector<Session::Port> ports_of(const std::vector<Value*>& values) {
  std::vector<Session::Port> ports;
  for (const Value* value : values) {
    if (!value->is_constant()) ports.push_back({value->name, value->type});
  }
  return ports;
}

Status prepare_for_openvino(Model& model, bool optimise) {
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  // Scales and shapes that nodes compute from constants have to be constants.
  if (!optimise) return fold_definitions(model);
  PipelineOptions pipeline;
  pipeline.pass.target_opset = find_export_format("openvino")->opset;
  EDGEWRIGHT_TRY(optimise_model(model, pipeline));
  return onnx_type_inferer().infer(*model.graph);
}

Result<std::unique_ptr<BackendSession>> open_in_openvino(
    const Graph& graph, const std::shared_ptr<const OpenvinoLibrary>& library, int threads) {
  EDGEWRIGHT_TRY(check_fixed(graph));
  Model model;
  model.graph = clone(graph);
  ConvertReport report;
  EDGEWRIGHT_TRY(decompose_for(model, *find_export_format("openvino"), report));
  EDGEWRIGHT_ASSIGN(const TemporaryFolder folder, TemporaryFolder::create());
  EDGEWRIGHT_ASSIGN(const auto files, export_openvino(model, folder.path() + "/model.xml"));
  return open_openvino(
      library, {files[0], files[1], ports_of(graph.inputs()), ports_of(graph.outputs())}, threads);
}

}  // namespace edgewright
