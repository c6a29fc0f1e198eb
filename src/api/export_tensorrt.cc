// ONNX for TensorRT and what it wants beside the model.
#include "api/export_tensorrt.h"

#include <filesystem>
#include <map>

#include "base/file.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/schema_functions.h"
#include "formats/onnx/type_inference.h"
#include "formats/tensorrt/tensorrt.h"
#include "targets/support.h"

namespace edgewright {
namespace {

constexpr std::string_view kTarget = "tensorrt@10";

// Where the user names no version. The table is read once; it is part of the program, so that
// reading it cannot fail.
const Target& newest_target() {
  static const Target value = *find_target(kTarget, "");
  return value;
}

SupportLevel level_of(const Node& node, const Target& target) {
  const SupportRow* row = find_support(target, node);
  return row == nullptr || !node.domain.empty() ? SupportLevel::kNo : row->level;
}

}  // namespace

// What has a definition of other operators is opened; what has none is left for a plugin.
bool tensorrt_has(const Node& node) {
  const SupportLevel level = level_of(node, newest_target());
  return level == SupportLevel::kNative || level == SupportLevel::kCast ||
         level == SupportLevel::kDecompose || !has_function_body(node);
}

Result<std::vector<std::string>> export_tensorrt(const Model& model, const std::string& path,
                                                 const ExportSettings& settings) {
  const Target& target = settings.target != nullptr ? *settings.target : newest_target();
  Model placed = clone(model);
  EDGEWRIGHT_TRY(place_tensorrt_quantization(*placed.graph));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*placed.graph));
  TensorrtCommand command{.half = settings.half_weights, .plugin_nodes = {}};
  std::map<std::string, std::string> skeletons;
  for_each_node(*placed.graph, [&](const Node& node) {
    const SupportLevel level = level_of(node, target);
    if (level != SupportLevel::kCustom && level != SupportLevel::kNo) return;
    command.plugin_nodes.push_back(&node);
    skeletons.try_emplace(node.op, tensorrt_plugin_skeleton(node));
  });
  const std::string stem = path.ends_with(".onnx") ? path.substr(0, path.size() - 5) : path;
  ExportOptions options;
  options.opset = settings.opset > 0 ? settings.opset : kTensorrtOpset;
  EDGEWRIGHT_TRY(export_onnx(placed, path, options));
  std::vector<std::string> files = {path, stem + ".trtexec"};
  EDGEWRIGHT_TRY(write_file(files.back(), tensorrt_command(*placed.graph, command)));
  if (const auto cache = tensorrt_calibration_cache(*placed.graph); !cache.empty()) {
    files.push_back(stem + ".cache");
    EDGEWRIGHT_TRY(write_file(files.back(), cache));
  }
  if (!skeletons.empty()) {
    files.push_back(stem + ".plugins");
    std::error_code error;
    std::filesystem::create_directories(files.back(), error);
    for (const auto& [op, text] : skeletons) {
      EDGEWRIGHT_TRY(write_file(fmt::format("{}/{}.cpp", files.back(), op), text));
    }
  }
  return files;
}

}  // namespace edgewright
