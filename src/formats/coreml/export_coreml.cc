#include <filesystem>

#include "base/file.h"
#include "formats/coreml/emit.h"

namespace edgewright {
namespace {

// The package's own format (coremltools, modelpackage). The identifiers only have to differ.
constexpr std::string_view kManifest = R"({
  "fileFormatVersion": "1.0.0",
  "itemInfoEntries": {
    "4d494c00-0000-4000-8000-000000000001": {
      "author": "com.apple.CoreML",
      "description": "CoreML Model Specification",
      "name": "model.mlmodel",
      "path": "com.apple.CoreML/model.mlmodel"
    },
    "4d494c00-0000-4000-8000-000000000002": {
      "author": "com.apple.CoreML",
      "description": "CoreML Model Weights",
      "name": "weights",
      "path": "com.apple.CoreML/weights"
    }
  },
  "rootModelIdentifier": "4d494c00-0000-4000-8000-000000000001"
}
)";

}  // namespace

bool coreml_has(const Node& node) { return coreml::find_row(node) != nullptr; }

Result<std::vector<std::string>> export_coreml(const Model& model, const std::string& path,
                                               const CoremlOptions& options) {
  coreml::Emitter emitter(options);
  EDGEWRIGHT_ASSIGN(const coreml::Program program, emitter.run(*model.graph));
  const auto inner = std::filesystem::path(path) / "Data" / "com.apple.CoreML";
  std::error_code error;
  std::filesystem::create_directories(inner / "weights", error);
  if (error) return usage_error("cannot make the folder {}: {}", path, error.message());
  EDGEWRIGHT_TRY(write_file((inner / "model.mlmodel").string(), program.model.bytes()));
  EDGEWRIGHT_TRY(write_file((inner / "weights" / "weight.bin").string(), program.weights));
  EDGEWRIGHT_TRY(write_file((std::filesystem::path(path) / "Manifest.json").string(), kManifest));
  return std::vector<std::string>{path};
}

}  // namespace edgewright
