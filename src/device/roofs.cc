#include "device/roofs.h"

#include <algorithm>
#include <map>

namespace edgewright {
namespace {

constexpr double kGiga = 1e9;

// At the cluster's highest frequency; peaks are proportional to it.
double highest(const Cluster& cluster, const ComputePeak& peak) {
  int64_t top = peak.frequency_khz;
  if (!cluster.operating_points.empty()) top = cluster.operating_points.back().frequency_khz;
  return peak.operations_per_s * static_cast<double>(top) /
         static_cast<double>(std::max<int64_t>(1, peak.frequency_khz)) / kGiga;
}

void add_compute(const Device& device, Roofs& roofs) {
  std::map<std::string, ComputeRoof> by_type;
  for (const Cluster& cluster : device.clusters) {
    for (const ComputePeak& peak : cluster.peaks) {
      const double core = highest(cluster, peak);
      ComputeRoof& roof = by_type.try_emplace(peak.dtype).first->second;
      roof.type = peak.dtype;
      roof.unit = peak.measured ? "measured" : "stated";
      roof.core_gop_s.value = std::max(roof.core_gop_s.value, core);
      roof.all_gop_s.value += core * static_cast<double>(cluster.cpus.size());
      roofs.is_measured = roofs.is_measured || peak.measured;
    }
  }
  for (auto& [type, roof] : by_type) roofs.compute.push_back(std::move(roof));
}

void add_memory(const Device& device, Roofs& roofs) {
  for (const MemoryLevel& level : device.memory) {
    if (level.bandwidth_bytes_per_s <= 0) continue;
    MemoryRoof roof;
    const bool is_main = level.name == "dram" || level.name == "DRAM";
    roof.name = is_main ? "DRAM" : level.name;
    roof.size_bytes = is_main ? 0 : level.size_bytes;
    roof.is_shared = is_main || level.shared_by_cpus > 1;
    roof.read_all_gb_s.value = level.bandwidth_bytes_per_s / kGiga;
    roof.write_all_gb_s.value = level.write_bytes_per_s / kGiga;
    roof.copy_all_gb_s.value = level.copy_bytes_per_s / kGiga;
    // What one core can draw of a shared level is not stated: all of it, at most.
    const double share = roof.is_shared ? 1 : 1.0 / roofs.cores;
    roof.read_gb_s.value = roof.read_all_gb_s.value * share;
    roof.write_gb_s.value = roof.write_all_gb_s.value * share;
    roof.copy_gb_s.value = roof.copy_all_gb_s.value * share;
    roofs.memory.push_back(std::move(roof));
  }
}

}  // namespace

Result<Roofs> roofs_of(const Device& device) {
  Roofs roofs;
  roofs.device = device.name;
  roofs.source = device.source;
  roofs.cores = static_cast<int>(std::max<int64_t>(1, cpu_count(device)));
  add_compute(device, roofs);
  add_memory(device, roofs);
  for (const Cluster& cluster : device.clusters) {
    if (cluster.dispatch_us <= 0) continue;
    roofs.dispatch.push_back({static_cast<int>(cluster.cpus.size()), {cluster.dispatch_us, 0}});
  }
  const auto has_float32 = [](const ComputeRoof& roof) { return roof.type == "float32"; };
  if (std::ranges::none_of(roofs.compute, has_float32)) {
    return unsupported("device '{}' states no float32 peak (clusters.peaks), so it has no roofline",
                       device.name);
  }
  if (roofs.memory.empty() || roofs.memory.back().name != "DRAM") {
    return unsupported("device '{}' states no bandwidth of its main memory (memory, name \"dram\")",
                       device.name);
  }
  return roofs;
}

const ComputeRoof* find_compute_roof(const Roofs& roofs, std::string_view type) {
  const ComputeRoof* best = nullptr;
  for (const ComputeRoof& roof : roofs.compute) {
    const bool quicker = best == nullptr || roof.core_gop_s.value > best->core_gop_s.value;
    if (roof.type == type && quicker) best = &roof;
  }
  if (best == nullptr && type != "float32") return find_compute_roof(roofs, "float32");
  return best;
}

}  // namespace edgewright
