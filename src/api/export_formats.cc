#include "api/export_formats.h"

#include <algorithm>
#include <array>

#include "api/export_tensorrt.h"
#include "formats/coreml/coreml.h"
#include "formats/ncnn/ncnn.h"
#include "formats/openvino/openvino.h"
#include "formats/tflite/tflite.h"

namespace edgewright {
namespace {

using Files = Result<std::vector<std::string>>;

Files write_openvino(const Model& model, const std::string& path, const ExportSettings& settings) {
  return export_openvino(model, path, {settings.half_weights, settings.states});
}

Files write_tflite(const Model& model, const std::string& path, const ExportSettings& settings) {
  return export_tflite(model, path, {.half_weights = settings.half_weights});
}

Files write_coreml(const Model& model, const std::string& path, const ExportSettings& settings) {
  return export_coreml(model, path, {.half_weights = settings.half_weights});
}

Files write_ncnn(const Model& model, const std::string& path, const ExportSettings& settings) {
  return export_ncnn(model, path, {.half_weights = settings.half_weights});
}

Files write_tensorrt(const Model& model, const std::string& path, const ExportSettings& settings) {
  return export_tensorrt(model, path, settings);
}

// Operators of opset 23 and later (Attention, RotaryEmbedding) are younger than what the runtimes
// recognise by themselves: their parts serve better.
constexpr int kOpset = 22;

constexpr std::array kFormats = std::to_array<ExportFormat>({
    {"openvino", ".xml", "OpenVINO", kOpset, false, openvino_has, write_openvino, import_openvino},
    {"tflite", ".tflite", "TFLite", kOpset, true, tflite_has, write_tflite, import_tflite, true},
    {"coreml", ".mlpackage", "Core ML", kOpset, true, coreml_has, write_coreml, import_coreml},
    {"ncnn", ".param", "ncnn", kOpset, true, ncnn_has, write_ncnn, nullptr},
    {"tensorrt", ".onnx", "TensorRT", kTensorrtOpset, false, tensorrt_has, write_tensorrt, nullptr},
});

}  // namespace

std::span<const ExportFormat> export_formats() { return kFormats; }

const ExportFormat* find_export_format(std::string_view name) {
  const auto formats = export_formats();
  const auto it = std::ranges::find(formats, name, &ExportFormat::name);
  return it == formats.end() ? nullptr : &*it;
}

const ExportFormat* find_import_format(std::string_view path) {
  const auto formats = export_formats();
  const auto it = std::ranges::find_if(formats, [&](const ExportFormat& format) {
    return format.read != nullptr && path.ends_with(format.ending);
  });
  return it == formats.end() ? nullptr : &*it;
}

std::vector<std::string> export_format_names() {
  std::vector<std::string> names;
  for (const ExportFormat& format : export_formats()) names.emplace_back(format.name);
  return names;
}

}  // namespace edgewright
