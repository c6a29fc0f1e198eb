#include "device/import_device_tree.h"

#include <algorithm>
#include <map>

#include "device/device_tree.h"
#include "device/energy_model.h"
#include "device/import_thermal.h"

namespace edgewright {
namespace {

using Node = DeviceTree::Node;

std::string join_cells(const std::vector<uint32_t>& cells) {
  return fmt::format("{}", fmt::join(cells, " "));
}

// CPUs with equal keys share a clock. The first property that a CPU has decides; the bindings are
// those of Documentation/devicetree/bindings of Linux.
std::string domain_key(const DeviceTree& tree, Node cpu,
                       const std::map<uint32_t, std::string>& map_cluster) {
  for (const char* property : {"qcom,freq-domain", "performance-domains", "operating-points-v2"}) {
    const auto cells = tree.cells(cpu, property);
    if (!cells.empty()) return fmt::format("{} {}", property, join_cells(cells));
  }
  const auto handle = tree.cell(cpu, "phandle");
  if (handle && map_cluster.contains(*handle)) return map_cluster.at(*handle);
  return tree.text(cpu, "compatible");
}

// phandle of a CPU -> its cluster in /cpus/cpu-map, which may nest sockets and clusters.
void read_cpu_map(const DeviceTree& tree, Node node, const std::string& path, int depth,
                  std::map<uint32_t, std::string>& out) {
  if (depth > 4) return;
  for (const Node child : tree.children(node)) {
    const std::string_view name = tree.name(child);
    if (const auto cpu = tree.cell(child, "cpu")) out[*cpu] = path;
    if (name.starts_with("cluster") || name.starts_with("socket")) {
      read_cpu_map(tree, child, path + "/" + std::string(name), depth + 1, out);
    } else if (name.starts_with("core")) {
      read_cpu_map(tree, child, path, depth + 1, out);
    }
  }
}

class Importer {
 public:
  Importer(const DeviceTree& tree, int64_t hardware_bin)
      : tree_(tree), hardware_bin_(hardware_bin) {}

  Result<Device> import(const std::string& file) {
    device_.model = tree_.text(tree_.root(), "model");
    device_.source =
        fmt::format("device tree of Linux for {}", tree_.text(tree_.root(), "compatible"));
    EDGEWRIGHT_TRY(read_clusters(file));
    normalize_capacities(device_);
    for (Cluster& cluster : device_.clusters) {
      apply_kernel_powers(cluster);
      note_gaps(cluster);
    }
    device_.thermal_zones = import_thermal_zones(tree_, cluster_of_handle_);
    if (device_.thermal_zones.empty()) note("no thermal zones in the tree");
    read_caches();
    EDGEWRIGHT_TRY(check_device(device_));
    return std::move(device_);
  }

 private:
  void note(std::string text) { device_.notes.push_back(std::move(text)); }

  Status read_clusters(const std::string& file) {
    const auto cpus = tree_.child(tree_.root(), "cpus");
    if (!cpus) return bad_input("{}: no node /cpus; expected a device tree of a board", file);
    std::map<uint32_t, std::string> map_cluster;
    if (const auto map = tree_.child(*cpus, "cpu-map")) {
      read_cpu_map(tree_, *map, "cpu-map", 0, map_cluster);
    }
    std::map<std::string, size_t> index_of;
    int number = 0;
    for (const Node cpu : tree_.children(*cpus)) {
      const bool is_cpu =
          tree_.text(cpu, "device_type") == "cpu" || tree_.name(cpu).starts_with("cpu@");
      if (!is_cpu || !tree_.enabled(cpu)) continue;
      const std::string key = domain_key(tree_, cpu, map_cluster);
      const auto [at, fresh] = index_of.emplace(key, device_.clusters.size());
      if (fresh) {
        device_.clusters.emplace_back();
        members_.emplace_back();
      }
      device_.clusters[at->second].cpus.push_back(number++);
      members_[at->second].push_back(cpu);
      if (const auto handle = tree_.cell(cpu, "phandle")) cluster_of_handle_[*handle] = at->second;
    }
    if (number == 0) return bad_input("{}: no CPU below /cpus", file);
    for (size_t i = 0; i < members_.size(); ++i) EDGEWRIGHT_TRY(read_cluster(i));
    return {};
  }

  // Trees state a value on every CPU of a cluster or on the first only.
  uint32_t first_stated(size_t cluster, const char* property) const {
    for (const Node cpu : members_[cluster]) {
      if (const auto cell = tree_.cell(cpu, property)) return *cell;
    }
    return 0;
  }

  Status read_cluster(size_t index) {
    Cluster& cluster = device_.clusters[index];
    cluster.name = tree_.text(members_[index].front(), "compatible");
    cluster.dmips_per_mhz = first_stated(index, "capacity-dmips-mhz");
    cluster.dynamic_coefficient = first_stated(index, "dynamic-power-coefficient");
    if (cluster.dmips_per_mhz > 1'000'000 || cluster.dynamic_coefficient > 1e6) {
      return bad_input(
          "{}: capacity-dmips-mhz {} and dynamic-power-coefficient {}, expected at "
          "most 1000000",
          tree_.path(members_[index].front()), cluster.dmips_per_mhz, cluster.dynamic_coefficient);
    }
    EDGEWRIGHT_TRY(read_operating_points(index));
    read_idle_states(index);
    return {};
  }

  Status read_operating_points(size_t index) {
    const Node cpu = members_[index].front();
    Cluster& cluster = device_.clusters[index];
    const uint32_t handle = first_stated(index, "operating-points-v2");
    const auto table = tree_.by_phandle(handle);
    if (handle != 0 && !table) {
      return bad_input("{}: operating-points-v2 points to phandle {:#x}, which no node has",
                       tree_.path(cpu), handle);
    }
    std::vector<OperatingPoint> points;
    if (table) {
      for (const Node entry : tree_.children(*table)) {
        EDGEWRIGHT_TRY(read_operating_point(entry, cluster, points));
      }
    } else {
      const auto pairs = tree_.cells(cpu, "operating-points");  // the old binding: kHz, uV
      for (size_t i = 0; i + 2 <= pairs.size(); i += 2) {
        if (pairs[i] > 0) points.push_back({.frequency_khz = pairs[i], .voltage_uv = pairs[i + 1]});
      }
    }
    merge_equal_frequencies(cluster, std::move(points));
    return {};
  }

  Status read_operating_point(Node entry, Cluster& cluster, std::vector<OperatingPoint>& points) {
    const auto hz = tree_.cells(entry, "opp-hz");
    const auto bins = tree_.cell(entry, "opp-supported-hw");
    const bool other_bin = bins && hardware_bin_ >= 0 && (*bins >> hardware_bin_ & 1) == 0;
    if (hz.empty() || !tree_.enabled(entry) || other_bin) return {};
    // 64 bits, as two cells; some old trees have one.
    const uint64_t frequency_hz = hz.size() >= 2 ? uint64_t{hz[0]} << 32 | hz[1] : uint64_t{hz[0]};
    const auto volts = tree_.cells(entry, "opp-microvolt");  // target, or target, min, max
    const auto votes = tree_.cells(entry, "opp-peak-kBps");
    if (frequency_hz < 1000 || frequency_hz > uint64_t{100'000'000'000} ||
        (!volts.empty() && volts[0] > 10'000'000)) {
      return bad_input("{}: {} Hz at {} uV, expected 1 kHz to 100 GHz and at most 10 V",
                       tree_.path(entry), frequency_hz, volts.empty() ? 0 : volts[0]);
    }
    if (const auto nanoseconds = tree_.cell(entry, "clock-latency-ns")) {
      cluster.transition_us = std::max<int64_t>(cluster.transition_us, *nanoseconds / 1000);
    }
    points.push_back({.frequency_khz = static_cast<int64_t>(frequency_hz / 1000),
                      .voltage_uv = volts.empty() ? 0 : volts[0],
                      .interconnect_kb_s = votes.empty() ? 0 : votes[0]});
    return {};
  }

  void merge_equal_frequencies(Cluster& cluster, std::vector<OperatingPoint> points) {
    std::ranges::stable_sort(points, {}, &OperatingPoint::frequency_khz);
    for (const OperatingPoint& point : points) {
      auto& kept = cluster.operating_points;
      if (kept.empty() || kept.back().frequency_khz != point.frequency_khz) {
        kept.push_back(point);
        continue;
      }
      note(
          fmt::format("cluster {}: {} kHz stands several times (hardware bins); the higher "
                      "voltage of {} and {} uV is kept",
                      cluster.name, point.frequency_khz, kept.back().voltage_uv, point.voltage_uv));
      if (point.voltage_uv > kept.back().voltage_uv) kept.back() = point;
    }
  }

  void add_idle_state(Cluster& cluster, Node node, bool whole_cluster) const {
    if (!tree_.enabled(node)) return;
    IdleState state;
    state.name = tree_.text(node, "idle-state-name");
    if (state.name.empty()) state.name = tree_.name(node);
    state.entry_us = tree_.cell(node, "entry-latency-us").value_or(0);
    state.exit_us = tree_.cell(node, "exit-latency-us").value_or(0);
    state.residency_us = tree_.cell(node, "min-residency-us").value_or(0);
    state.whole_cluster = whole_cluster || tree_.name(node).starts_with("cluster");
    if (std::max({state.entry_us, state.exit_us, state.residency_us}) <= 1'000'000'000) {
      cluster.idle_states.push_back(std::move(state));
    }
  }

  // Listed on the CPU, or on the power domain that it is in and that domain's parents.
  void read_idle_states(size_t index) {
    const Node cpu = members_[index].front();
    Cluster& cluster = device_.clusters[index];
    for (const uint32_t handle : tree_.cells(cpu, "cpu-idle-states")) {
      if (const auto node = tree_.by_phandle(handle)) add_idle_state(cluster, *node, false);
    }
    auto domain = tree_.texts(cpu, "power-domain-names").empty() ? std::nullopt : psci_domain(cpu);
    for (int depth = 0; domain && depth < 4; ++depth) {
      for (const uint32_t handle : tree_.cells(*domain, "domain-idle-states")) {
        if (const auto node = tree_.by_phandle(handle)) add_idle_state(cluster, *node, depth > 0);
      }
      const auto parent = tree_.cell(*domain, "power-domains");
      domain = parent ? tree_.by_phandle(*parent) : std::nullopt;
    }
  }

  std::optional<Node> psci_domain(Node cpu) const {
    const auto names = tree_.texts(cpu, "power-domain-names");
    const auto handles = tree_.cells(cpu, "power-domains");
    for (size_t i = 0; i < names.size() && i < handles.size(); ++i) {
      if (names[i] == "psci") return tree_.by_phandle(handles[i]);
    }
    return std::nullopt;
  }

  void note_gaps(const Cluster& cluster) {
    const auto missing = [&](bool absent, std::string_view what, std::string_view consequence) {
      if (absent) note(fmt::format("cluster {}: no {}; {}", cluster.name, what, consequence));
    };
    const auto& points = cluster.operating_points;
    missing(cluster.dmips_per_mhz == 0, "capacity-dmips-mhz", "its capacity is not known");
    missing(points.empty(), "operating points",
            "firmware sets the frequency or they are added "
            "at run time");
    missing(cluster.dynamic_coefficient == 0, "dynamic-power-coefficient",
            "no power follows from the tree");
    missing(!points.empty() && points.front().voltage_uv == 0, "opp-microvolt",
            "no power follows from the tree; fit it with device calibrate");
    missing(cluster.idle_states.empty(), "idle states", "sleeping is not modelled");
  }

  void add_cache(Node node, const char* size_property, const std::string& name, int64_t sharers) {
    const auto size = tree_.cell(node, size_property);
    const auto known = std::ranges::find(device_.memory, name, &MemoryLevel::name);
    if (!size || *size == 0 || known != device_.memory.end()) return;
    device_.memory.push_back(
        {.name = name, .size_bytes = *size, .shared_by_cpus = sharers, .source = "device tree"});
  }

  // Levels of one cluster are called "L1:CLUSTER" and "L2:CLUSTER", the last one "L3".
  void read_caches() {
    for (size_t i = 0; i < members_.size(); ++i) {
      Node node = members_[i].front();
      add_cache(node, "d-cache-size", fmt::format("L1:{}", i), 1);
      for (uint32_t level = 2; level <= 4; ++level) {
        const auto next = tree_.cell(node, "next-level-cache");
        const auto cache = next ? tree_.by_phandle(*next) : std::nullopt;
        if (!cache) break;
        const int64_t sharers = std::ranges::count_if(
            members_[i], [&](Node cpu) { return tree_.cell(cpu, "next-level-cache") == next; });
        node = *cache;
        const uint32_t stated = tree_.cell(node, "cache-level").value_or(level);
        add_cache(node, "cache-size",
                  stated >= 3 ? fmt::format("L{}", stated) : fmt::format("L{}:{}", stated, i),
                  stated >= 3 ? cpu_count(device_) : std::max<int64_t>(sharers, 1));
      }
    }
  }

  const DeviceTree& tree_;
  const int64_t hardware_bin_;
  Device device_;
  std::vector<std::vector<Node>> members_;  // CPU nodes of each cluster
  std::map<uint32_t, size_t> cluster_of_handle_;
};

}  // namespace

Result<Device> import_device_tree(std::string bytes, const std::string& file,
                                  int64_t hardware_bin) {
  EDGEWRIGHT_ASSIGN(const DeviceTree tree, DeviceTree::parse(std::move(bytes), file));
  EDGEWRIGHT_ASSIGN(Device device, Importer(tree, hardware_bin).import(file));
  device.name = file.substr(file.rfind('/') + 1);
  device.name = device.name.substr(0, device.name.rfind('.'));
  return device;
}

}  // namespace edgewright
