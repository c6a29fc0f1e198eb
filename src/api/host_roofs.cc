#include "api/host_roofs.h"

#include <filesystem>

#include "base/cpu.h"
#include "base/file.h"
#include "device/roofs_file.h"
#include "kernels/probe/probe_kernels.h"
#include "runtime/autotune.h"

namespace edgewright {
namespace {

// A quick probe: enough for verdicts, which turn on factors and not on percents.
constexpr double kQuickSeconds = 1.5;
constexpr int kQuickRepetitions = 5;

std::optional<Roofs> cached_roofs(const std::string& path) {
  if (path.empty() || !std::filesystem::exists(path)) return std::nullopt;
  const auto text = read_file(path);
  if (!text.ok()) return std::nullopt;
  auto roofs = parse_roofs_json(*text, path);
  if (!roofs.ok() || roofs->device != host_cpu().model) return std::nullopt;
  return *std::move(roofs);
}

}  // namespace

ProbeKernels probe_kernels() {
  ProbeKernels kernels{probe_read, probe_write, probe_copy, {}};
  for (const ProbeArithmetic& one : probe_arithmetic()) {
    kernels.arithmetic.push_back({one.type, one.unit, one.operations_per_round, one.run});
  }
  return kernels;
}

Result<Measured> launch_cost() {
  Attributes attributes;
  attributes.set("program", std::string("t0=Relu(i0)"));
  const TensorSpec one{DType::kFloat32, {1}, Layout::kPlain, nullptr};
  const KernelRequest request{"edgewright", "Elementwise", &attributes, {one}, {one}, 1};
  for (const KernelImplementation* each : find_implementations("edgewright", "Elementwise")) {
    if (!each->supports(request)) continue;
    EDGEWRIGHT_ASSIGN(const double time_us, measure(request, *each));
    return Measured{time_us, 0};
  }
  return Measured{};
}

Result<Roofs> host_roofs(const std::string& cache_path) {
  if (auto cached = cached_roofs(cache_path)) return *std::move(cached);
  ProbeOptions options;
  options.seconds = kQuickSeconds;
  options.repetitions = kQuickRepetitions;
  options.largest_compute_spread = options.largest_memory_spread = 1e9;
  EDGEWRIGHT_ASSIGN(ProbeResult probed, probe_host(probe_kernels(), options));
  EDGEWRIGHT_ASSIGN(probed.roofs.step_us, launch_cost());
  probed.roofs.source = "measured quickly; device probe measures well";
  if (!cache_path.empty()) {
    // Where the file cannot be kept the roofs are measured again next time.
    static_cast<void>(write_file(cache_path, roofs_to_json(probed.roofs)).ok());
  }
  return std::move(probed.roofs);
}

}  // namespace edgewright
