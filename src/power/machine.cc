#include "power/machine.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

// Of a core's peak, what blocked matrix products reach.
constexpr double kComputeEfficiency = 0.6;
// Cycles that the slowest core takes through a barrier and the start of the next region.
constexpr double kBarrierCycles = 1500;
// Of the lowest operating point's power, what a core with a stopped clock keeps where no static
// term is known.
constexpr double kWaitingShare = 0.1;
// Tokens of a prompt's piece at least, and pieces for each stage of a pipeline, as the engine cuts
// prompts (llm/engine_pipeline.cc).
constexpr double kLeastPiece = 32, kPiecesPerStage = 4;
constexpr double kDefaultTransitionS = 100e-6;
// Of moving threads: the scheduler stops and starts them. The order of a migration through a CPU's
// stopper thread.
constexpr double kMigrationS = 50e-6;
// Of the last shared cache, what weights may take: activations, keys and values want the rest.
constexpr double kWeightsShareOfCache = 0.75;
// Of one core where the device does not say: the second-level cache of most big cores.
constexpr double kPrivateCacheBytes = 256 * 1024;

int stages_of(const Setting& setting) {
  return static_cast<int>(std::ranges::count_if(
      setting.clusters, [](const ClusterSetting& used) { return used.cores > 0; }));
}

double pieces_of(const StepWork& work, int stages) {
  if (!work.is_prompt) return std::min<double>(stages, std::ceil(work.tokens));
  const double piece = std::max(kLeastPiece, work.tokens / (kPiecesPerStage * stages));
  return std::ceil(work.tokens / piece);
}

// Of the division of layers whose slowest stage is quickest; `layer_s`: of one layer in each stage.
double slowest_stage_s(const std::vector<double>& layer_s, int64_t layers) {
  std::vector<double> ends_s = layer_s;
  double slowest = 0;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const auto next = std::ranges::min_element(ends_s);
    slowest = *next;
    *next += layer_s[static_cast<size_t>(next - ends_s.begin())];
  }
  return slowest;
}

}  // namespace

Result<Machine::ClusterModel> Machine::model(const Cluster& cluster) {
  ClusterModel out{.name = cluster.name,
                   .cores = static_cast<int>(cluster.cpus.size()),
                   .capacity = cluster.capacity,
                   .bytes_per_cycle = cluster.stream_bytes_per_cycle};
  for (const OperatingPoint& point : cluster.operating_points) {
    if (point.power_uw == 0) continue;
    const double total = static_cast<double>(point.power_uw) * 1e-6;
    const double fixed =
        std::min(total, cluster.static_uw_per_v * static_cast<double>(point.voltage_uv) * 1e-12);
    out.points.push_back({point.frequency_khz, total - fixed, fixed, point.inefficient});
  }
  for (const ComputePeak& peak : cluster.peaks) {
    out.operations_per_cycle.emplace_back(
        peak.dtype, peak.operations_per_s / (static_cast<double>(peak.frequency_khz) * 1e3));
  }
  if (out.points.empty() || out.operations_per_cycle.empty() || out.bytes_per_cycle == 0) {
    return unsupported(
        "cluster {}: {}; a plan needs powers (device calibrate), peaks and "
        "stream_bytes_per_cycle (device probe)",
        cluster.name,
        out.points.empty() ? "no power is known at any frequency"
                           : "no peaks or memory rates are known");
  }
  out.sleep_residency_s = HUGE_VAL;
  out.sleep_switch_s = 0;
  for (const IdleState& state : cluster.idle_states) {
    if (state.whole_cluster || state.residency_us == 0) continue;
    out.sleep_residency_s = static_cast<double>(state.residency_us) * 1e-6;
    out.sleep_switch_s = static_cast<double>(state.entry_us + state.exit_us) * 1e-6;
    break;
  }
  return out;
}

Result<Machine> Machine::create(const Device& device) {
  Machine machine;
  int64_t transition_us = 0;
  for (const Cluster& cluster : device.clusters) {
    EDGEWRIGHT_ASSIGN(ClusterModel model, Machine::model(cluster));
    const auto cache = std::ranges::find(
        device.memory, fmt::format("L2:{}", machine.clusters_.size()), &MemoryLevel::name);
    model.private_cache_bytes =
        cache == device.memory.end() ? kPrivateCacheBytes : static_cast<double>(cache->size_bytes);
    machine.clusters_.push_back(std::move(model));
    transition_us = std::max(transition_us, cluster.transition_us);
  }
  const auto dram = std::ranges::find(device.memory, "dram", &MemoryLevel::name);
  if (dram == device.memory.end() || dram->bandwidth_bytes_per_s == 0) {
    return unsupported("the device's memory bandwidth is not known; add a memory level 'dram'");
  }
  machine.memory_bytes_per_s_ = dram->bandwidth_bytes_per_s;
  machine.memory_j_per_byte_ = dram->energy_pj_per_byte * 1e-12;
  const auto shared = std::ranges::find(device.memory, "L3", &MemoryLevel::name);
  if (shared != device.memory.end()) {
    machine.cached_bytes_ = kWeightsShareOfCache * static_cast<double>(shared->size_bytes);
  }
  machine.platform_w_ = (device.platform_power_mw + device.memory_idle_power_mw) * 1e-3;
  machine.leakage_per_k_ = device.thermal_network.leakage_per_k;
  machine.leakage_reference_c_ = device.thermal_network.leakage_reference_c;
  machine.transition_s_ =
      transition_us > 0 ? static_cast<double>(transition_us) * 1e-6 : kDefaultTransitionS;
  return machine;
}

size_t Machine::point_at_least(size_t cluster, int64_t frequency_khz) const {
  const auto& points = clusters_[cluster].points;
  size_t index = 0;
  while (index + 1 < points.size() &&
         (points[index].frequency_khz < frequency_khz || points[index].inefficient)) {
    ++index;
  }
  return index;
}

double Machine::operations_per_cycle(const ClusterModel& cluster, const std::string& dtype) const {
  double slowest = HUGE_VAL;
  for (const auto& [name, operations] : cluster.operations_per_cycle) {
    if (name == dtype) return operations;
    slowest = std::min(slowest, operations);
  }
  return slowest;  // a type without arithmetic of its own is widened
}

double Machine::step_s(const StepWork& work, const std::string& dtype,
                       const Setting& setting) const {
  double operations_per_s = 0, bytes_per_s = 0, slowest_hz = HUGE_VAL;
  int cores = 0;
  for (size_t i = 0; i < clusters_.size(); ++i) {
    const ClusterSetting& used = setting.clusters[i];
    if (used.cores == 0) continue;
    const double hz = static_cast<double>(clusters_[i].points[used.point].frequency_khz) * 1e3;
    const double busy_hz = hz * used.cores;
    operations_per_s += busy_hz * operations_per_cycle(clusters_[i], dtype) * kComputeEfficiency;
    bytes_per_s += busy_hz * clusters_[i].bytes_per_cycle;
    slowest_hz = std::min(slowest_hz, hz);
    cores += used.cores;
  }
  if (cores == 0) return HUGE_VAL;
  if (setting.pipelined) return pipelined_step_s(work, dtype, setting, HUGE_VAL);
  const double barriers_s =
      cores == 1 ? 0 : static_cast<double>(work.barriers) * kBarrierCycles / slowest_hz;
  return std::max({work.operations / operations_per_s, work.bytes / bytes_per_s,
                   moved_bytes(work, setting) / memory_bytes_per_s_}) +
         barriers_s;
}

double Machine::pipelined_step_s(const StepWork& work, const std::string& dtype,
                                 const Setting& setting, double below) const {
  const int stages = stages_of(setting);
  if (stages < 2 || work.layers < stages) return HUGE_VAL;
  const double pieces = pieces_of(work, stages), layers = static_cast<double>(work.layers);
  const double operations = work.operations / pieces / layers;
  const double weight_bytes = work.weight_bytes / layers;
  const double bytes = weight_bytes + (work.bytes - work.weight_bytes) / pieces / layers;
  const double moved = cached(work) ? bytes - weight_bytes : bytes;  // of a layer, for one piece
  std::vector<double> layer_s;
  double layers_per_s = 0;
  for (size_t i = 0; i < clusters_.size(); ++i) {
    const ClusterSetting& used = setting.clusters[i];
    if (used.cores == 0) continue;
    const double hz = static_cast<double>(clusters_[i].points[used.point].frequency_khz) * 1e3;
    const double busy_hz = hz * used.cores;
    const double barriers_s =
        used.cores == 1 ? 0 : static_cast<double>(work.barriers) / layers * kBarrierCycles / hz;
    layer_s.push_back(
        std::max({operations /
                      (busy_hz * operations_per_cycle(clusters_[i], dtype) * kComputeEfficiency),
                  bytes / (busy_hz * clusters_[i].bytes_per_cycle), moved / memory_bytes_per_s_}) +
        barriers_s);
    layers_per_s += 1 / layer_s.back();
  }
  const double slots = work.is_prompt ? pieces + stages - 1 : stages;
  const double memory_s = moved_bytes(work, setting) / memory_bytes_per_s_;
  if (std::max(memory_s, slots * layers / layers_per_s) >= below) return HUGE_VAL;
  return std::max(memory_s, slots * slowest_stage_s(layer_s, work.layers));
}

double Machine::moved_bytes(const StepWork& work, const Setting& setting) const {
  if (cached(work)) return work.bytes - work.weight_bytes;
  if (!setting.pipelined) return work.bytes;
  return work.bytes + (pieces_of(work, stages_of(setting)) - 1) * work.weight_bytes;
}

double Machine::change_s(const Setting& from, const Setting& to) const {
  if (from.clusters.empty() || from == to) return 0;
  double seconds = transition_s_, cold_bytes = 0;
  if (from.pipelined != to.pipelined) seconds += kMigrationS;
  for (size_t i = 0; i < clusters_.size(); ++i) {
    const int more = to.clusters[i].cores - from.clusters[i].cores;
    if (more > 0) cold_bytes += more * clusters_[i].private_cache_bytes;
  }
  if (cold_bytes > 0) seconds += kMigrationS + cold_bytes / memory_bytes_per_s_;
  return seconds;
}

bool Machine::alike(size_t a, size_t b) const {
  const ClusterModel &x = clusters_[a], &y = clusters_[b];
  return x.name == y.name && x.cores == y.cores && x.capacity == y.capacity &&
         x.points.size() == y.points.size() &&
         x.points.back().frequency_khz == y.points.back().frequency_khz;
}

double Machine::busy_w(size_t cluster, const ClusterSetting& setting, double die_c) const {
  const Point& point = clusters_[cluster].points[setting.point];
  const double leakage = std::exp(leakage_per_k_ * (die_c - leakage_reference_c_));
  return setting.cores * (point.dynamic_w + point.static_w * leakage);
}

double Machine::waiting_w(size_t cluster, const ClusterSetting& setting, double die_c) const {
  const Point& point = clusters_[cluster].points[setting.point];
  const double leakage = std::exp(leakage_per_k_ * (die_c - leakage_reference_c_));
  const double fixed = point.static_w > 0
                           ? point.static_w * leakage
                           : kWaitingShare * clusters_[cluster].points.front().dynamic_w;
  return setting.cores * fixed;
}

Setting Machine::big_cores() const {
  int64_t fastest = 0;
  for (const ClusterModel& cluster : clusters_) fastest = std::max(fastest, cluster.capacity);
  Setting setting;
  for (const ClusterModel& cluster : clusters_) {
    const bool big = cluster.capacity * 2 >= fastest;
    setting.clusters.push_back({big ? cluster.cores : 0, cluster.points.size() - 1});
  }
  return setting;
}

std::string setting_text(const Machine& machine, const Setting& setting) {
  std::string out;
  for (size_t i = 0; i < machine.clusters(); ++i) {
    const ClusterSetting& used = setting.clusters[i];
    if (used.cores == 0) continue;
    out += fmt::format("{}{}x{} MHz",
                       out.empty()         ? ""
                       : setting.pipelined ? " | "
                                           : " + ",
                       used.cores, machine.frequency_khz(i, used.point) / 1000);
  }
  return out.empty() ? "idle" : out;
}

}  // namespace edgewright
