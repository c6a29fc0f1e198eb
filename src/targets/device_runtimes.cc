#include "targets/device_runtimes.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace edgewright {
namespace {

struct Row {
  std::string_view device, core;  // how the device's name, or one of its cores' names, begins
  std::array<std::string_view, 2> formats;
  std::string_view why;
};

constexpr std::string_view kArm =
    "LiteRT and ncnn run on every 64-bit Arm CPU, under Android and Linux";
constexpr Row kRows[] = {
    {"jetson", "", {"tensorrt"}, "NVIDIA's boards come with TensorRT (JetPack)"},
    {"", "apple,", {"coreml"}, "Core ML is part of Apple's systems"},
    {"", "arm,", {"tflite", "ncnn"}, kArm},
    {"", "qcom,", {"tflite", "ncnn"}, kArm},
    {"", "", {"openvino"}, "OpenVINO runs on x86 processors"},
};

bool fits(const Row& row, const Device& device) {
  if (!device.name.starts_with(row.device)) return false;
  return row.core.empty() || std::ranges::any_of(device.clusters, [&](const Cluster& cluster) {
           return cluster.name.starts_with(row.core);
         });
}

}  // namespace

DeviceRuntimes runtimes_of(const Device& device) {
  // The last row fits every device.
  const Row* row = std::ranges::find_if(kRows, [&](const Row& r) { return fits(r, device); });
  DeviceRuntimes runtimes;
  for (const std::string_view format : row->formats) {
    if (!format.empty()) runtimes.network_formats.emplace_back(format);
  }
  runtimes.language_formats = {"gguf"};
  runtimes.why = row->why;
  return runtimes;
}

}  // namespace edgewright
