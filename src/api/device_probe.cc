#include <algorithm>
#include <filesystem>

#include "api/host_roofs.h"
#include "base/file.h"
#include "device/roofs_file.h"
#include "kernels/probe/probe_kernels.h"
#include "profile/layer_sweep.h"
#include "profile/time_model.h"

namespace edgewright {
namespace {

void add(std::vector<ProbeFigure>& figures, const std::string& group, const char* name,
         const Measured& figure) {
  if (figure.value > 0) figures.push_back({group, name, figure.value, figure.spread});
}

std::vector<ProbeFigure> figures_of(const ProbeResult& probed) {
  const Roofs& roofs = probed.roofs;
  std::vector<ProbeFigure> figures;
  for (const MemoryRoof& level : roofs.memory) {
    add(figures, level.name, "read_gb_s", level.read_gb_s);
    add(figures, level.name, "read_streams_gb_s", level.read_streams_gb_s);
    add(figures, level.name, "write_gb_s", level.write_gb_s);
    add(figures, level.name, "write_around_gb_s", level.write_around_gb_s);
    add(figures, level.name, "copy_gb_s", level.copy_gb_s);
    add(figures, level.name, "read_all_gb_s", level.read_all_gb_s);
    add(figures, level.name, "write_all_gb_s", level.write_all_gb_s);
    add(figures, level.name, "copy_all_gb_s", level.copy_all_gb_s);
  }
  for (const ComputeRoof& roof : roofs.compute) {
    const std::string group = fmt::format("{} {}", roof.type, roof.unit);
    add(figures, group, "core_gop_s", roof.core_gop_s);
    add(figures, group, "all_gop_s", roof.all_gop_s);
  }
  for (const DispatchCost& cost : roofs.dispatch) {
    add(figures, fmt::format("dispatch {} threads", cost.threads), "dispatch_us", cost.dispatch_us);
  }
  add(figures, "core", "frequency_mhz", probed.frequency_mhz);
  add(figures, "clock", "clock_us", roofs.clock_us);
  add(figures, "step", "step_us", roofs.step_us);
  return figures;
}

void describe(const ProbeResult& probed, DeviceProbeReport& report) {
  const Topology& topology = probed.topology;
  report.cpu = topology.cpu_model;
  report.features = topology.features;
  report.packages = topology.packages;
  report.cores = topology.cores;
  report.cpus = topology.cpus;
  report.numa_nodes = topology.numa_nodes;
  report.memory_bytes = topology.memory_bytes;
  for (const CacheInfo& cache : topology.caches) {
    report.caches.push_back(
        {cache.level, cache.count, cache.shared_by_cpus, cache.line_bytes, cache.size_bytes});
  }
  for (const ScalingRow& row : probed.scaling) {
    report.scaling.push_back({row.threads, row.gop_s, row.read_gb_s});
  }
  report.largest_compute_spread = probed.largest_compute_spread;
  report.largest_memory_spread = probed.largest_memory_spread;
  report.figures = figures_of(probed);
}

constexpr size_t kMaxSampleBytes = size_t{64} << 20;

// Times further layers, keeps them with the earlier ones, and fits the model of all; how good it is
// is told by a second fit to one half of them.
Status time_layers(const DeviceProbeOptions& options, const Roofs& roofs,
                   DeviceProbeReport& report) {
  std::vector<LayerTime> layers;
  if (std::filesystem::exists(options.samples_cache)) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(options.samples_cache, kMaxSampleBytes));
    EDGEWRIGHT_ASSIGN(layers, parse_layer_times(text, options.samples_cache));
  }
  SweepOptions sweep;
  sweep.first = layers.empty() ? 0 : std::ranges::max(layers, {}, &LayerTime::index).index + 1;
  sweep.count = static_cast<size_t>(options.layers);
  sweep.seconds = options.layers_seconds;
  sweep.progress = options.progress;
  sweep.move = {probe_read, probe_write};
  EDGEWRIGHT_ASSIGN(const auto added, sweep_layers(sweep));
  layers.insert(layers.end(), added.begin(), added.end());
  EDGEWRIGHT_TRY(write_file(options.samples_cache, layer_times_to_csv(layers)));
  layers = undisturbed(layers);
  const double pace_us = usual_pace_us(layers);
  const std::vector<TimeSample> samples = samples_of(layers, {&roofs, 1}, pace_us);
  std::vector<TimeSample> known, unseen_alone, unseen_far;
  for (size_t i = 0; i < layers.size(); ++i) {
    auto& unseen = layers[i].others_bytes > 0 ? unseen_far : unseen_alone;
    (is_held_back(layers[i]) ? unseen : known).push_back(samples[i]);
  }
  EDGEWRIGHT_ASSIGN(const TimeModel half, TimeModel::fit(known, roofs, pace_us));
  const TimeErrors alone = errors_of(half, unseen_alone);
  const TimeErrors far = errors_of(half, unseen_far);
  report.timed_layers = std::ranges::count(layers, 0, &LayerTime::others_bytes);
  report.prediction_error_median = alone.median;
  report.prediction_error_p90 = alone.p90;
  report.far_error_median = far.median;
  report.far_error_p90 = far.p90;
  EDGEWRIGHT_ASSIGN(const TimeModel model, TimeModel::fit(samples, roofs, pace_us));
  return write_file(options.times_cache, model.to_json());
}

}  // namespace

Result<DeviceProbeReport> probe_device(const DeviceProbeOptions& options) {
  ProbeOptions probe;
  probe.seconds = options.seconds;
  probe.threads = options.threads;
  probe.progress = options.progress;
  const ProbeOptions strict = probe;
  if (options.accept_noise) probe.largest_compute_spread = probe.largest_memory_spread = 1e9;
  EDGEWRIGHT_ASSIGN(ProbeResult probed, probe_host(probe_kernels(), probe));
  EDGEWRIGHT_ASSIGN(probed.roofs.step_us, launch_cost());
  DeviceProbeReport report;
  describe(probed, report);
  if (probed.largest_compute_spread > strict.largest_compute_spread ||
      probed.largest_memory_spread > strict.largest_memory_spread) {
    report.warnings.push_back(
        fmt::format("the machine was noisy: arithmetic spreads by {:.0f} %, memory by {:.0f} %",
                    probed.largest_compute_spread * 100, probed.largest_memory_spread * 100));
  }
  if (!options.roofs_cache.empty()) {
    EDGEWRIGHT_TRY(write_file(options.roofs_cache, roofs_to_json(probed.roofs)));
  }
  if (options.layers > 0) EDGEWRIGHT_TRY(time_layers(options, probed.roofs, report));
  if (!options.output.empty()) {
    const std::string file = options.output.substr(options.output.rfind('/') + 1);
    const Device device = device_of(probed, file.substr(0, file.rfind(".toml")));
    EDGEWRIGHT_TRY(write_file(options.output, device_to_toml(device)));
    report.output = options.output;
  }
  return report;
}

}  // namespace edgewright
