#include <algorithm>
#include <set>

#include "base/file.h"
#include "device/catalogue.h"
#include "device/device.h"
#include "device/fields.h"
#include "device/toml.h"

namespace edgewright {

constexpr Bounds kFrequencyKhz{1, 1e8};
constexpr Bounds kMicrovolt{0, 1e7};
constexpr Bounds kMicrowatt{0, 1e9};
constexpr Bounds kMicroseconds{0, 1e9};
constexpr Bounds kCount{0, 1e6};
constexpr Bounds kBytes{0, 1e15};
constexpr Bounds kTemperatureMc{-273150, 1e6};

template <class V>
void describe(V& v, OperatingPoint& point) {
  v.required("frequency_khz", point.frequency_khz, kFrequencyKhz);
  v.field("voltage_uv", point.voltage_uv, kMicrovolt);
  v.field("power_uw", point.power_uw, kMicrowatt);
  v.field("inefficient", point.inefficient);
  v.field("interconnect_kb_s", point.interconnect_kb_s, kBytes);
}

template <class V>
void describe(V& v, IdleState& state) {
  v.required("name", state.name);
  v.field("entry_us", state.entry_us, kMicroseconds);
  v.field("exit_us", state.exit_us, kMicroseconds);
  v.field("residency_us", state.residency_us, kMicroseconds);
  v.field("power_uw", state.power_uw, kMicrowatt);
  v.field("whole_cluster", state.whole_cluster);
}

template <class V>
void describe(V& v, ComputePeak& peak) {
  v.required("dtype", peak.dtype);
  v.required("operations_per_s", peak.operations_per_s, {1, 1e18});
  v.required("frequency_khz", peak.frequency_khz, kFrequencyKhz);
  v.field("measured", peak.measured);
  v.field("source", peak.source);
}

template <class V>
void describe(V& v, Cluster& cluster) {
  v.required("name", cluster.name);
  v.required("cpus", cluster.cpus, {0, 4095});
  v.field("dmips_per_mhz", cluster.dmips_per_mhz, kCount);
  v.field("capacity", cluster.capacity, {0, 1024});
  v.field("dynamic_coefficient", cluster.dynamic_coefficient, {0, 1e6});
  v.field("static_uw_per_v", cluster.static_uw_per_v, {-1e9, 1e9});
  v.field("power_source", cluster.power_source);
  v.field("transition_us", cluster.transition_us, kMicroseconds);
  v.field("stream_bytes_per_cycle", cluster.stream_bytes_per_cycle, {0, 1e4});
  v.field("instruction_sets", cluster.instruction_sets);
  v.field("dispatch_us", cluster.dispatch_us, {0, 1e6});
  v.field("operating_points", cluster.operating_points);
  v.field("idle_states", cluster.idle_states);
  v.field("peaks", cluster.peaks);
}

template <class V>
void describe(V& v, ThermalTrip& trip) {
  v.required("name", trip.name);
  v.required("type", trip.type);
  v.required("temperature_mc", trip.temperature_mc, kTemperatureMc);
  v.field("hysteresis_mc", trip.hysteresis_mc, {0, 1e6});
}

template <class V>
void describe(V& v, CoolingMap& map) {
  v.required("trip", map.trip);
  v.required("coolers", map.coolers);
  v.field("contribution", map.contribution, kCount);
}

template <class V>
void describe(V& v, ThermalZone& zone) {
  v.required("name", zone.name);
  v.field("sustainable_power_mw", zone.sustainable_power_mw, {0, 1e7});
  v.field("polling_ms", zone.polling_ms, kMicroseconds);
  v.field("polling_passive_ms", zone.polling_passive_ms, kMicroseconds);
  v.field("trips", zone.trips);
  v.field("cooling", zone.cooling);
}

template <class V>
void describe(V& v, ThermalNode& node) {
  v.required("name", node.name);
  v.required("capacity_j_per_k", node.capacity_j_per_k, {1e-9, 1e9});
}

template <class V>
void describe(V& v, ThermalLink& link) {
  v.required("from", link.from);
  v.required("to", link.to);
  v.required("conductance_w_per_k", link.conductance_w_per_k, {1e-9, 1e9});
}

template <class V>
void describe(V& v, HeatInlet& inlet) {
  v.required("source", inlet.source);
  v.required("node", inlet.node);
}

template <class V>
void describe(V& v, ThermalNetwork& network) {
  v.field("source", network.source);
  v.field("skin_node", network.skin_node);
  v.field("skin_limit_c", network.skin_limit_c, {0, 200});
  v.field("leakage_per_k", network.leakage_per_k, {0, 1});
  v.field("leakage_reference_c", network.leakage_reference_c, {-273.15, 200});
  v.field("nodes", network.nodes);
  v.field("links", network.links);
  v.field("inlets", network.inlets);
}

template <class V>
void describe(V& v, MemoryLevel& level) {
  v.required("name", level.name);
  v.field("size_bytes", level.size_bytes, kBytes);
  v.field("shared_by_cpus", level.shared_by_cpus, {0, 4096});
  v.field("bandwidth_bytes_per_s", level.bandwidth_bytes_per_s, {0, 1e16});
  v.field("write_bytes_per_s", level.write_bytes_per_s, {0, 1e16});
  v.field("copy_bytes_per_s", level.copy_bytes_per_s, {0, 1e16});
  v.field("energy_pj_per_byte", level.energy_pj_per_byte, {0, 1e9});
  v.field("measured", level.measured);
  v.field("source", level.source);
}

template <class V>
void describe(V& v, OperationEnergy& energy) {
  v.required("operation", energy.operation);
  v.required("picojoules", energy.picojoules, {0, 1e9});
  v.field("process_nm", energy.process_nm, kCount);
  v.field("source", energy.source);
}

template <class V>
void describe(V& v, Device& device) {
  v.required("name", device.name);
  v.field("model", device.model);
  v.field("source", device.source);
  v.field("notes", device.notes);
  v.field("platform_power_mw", device.platform_power_mw, {0, 1e7});
  v.field("memory_idle_power_mw", device.memory_idle_power_mw, {0, 1e7});
  v.field("battery_mwh", device.battery_mwh, {0, 1e9});
  v.required("clusters", device.clusters);
  v.field("thermal_zones", device.thermal_zones);
  v.field("thermal_network", device.thermal_network);
  v.field("memory", device.memory);
  v.field("operation_energies", device.operation_energies);
}

namespace {

Status check_clusters(const Device& device) {
  std::set<int> seen;
  for (const Cluster& cluster : device.clusters) {
    if (cluster.cpus.empty()) {
      return bad_input("cluster '{}' has no CPUs; list them in 'cpus'", cluster.name);
    }
    for (const int cpu : cluster.cpus) {
      if (!seen.insert(cpu).second) {
        return bad_input("CPU {} stands twice, again in cluster '{}'; expected one cluster a CPU",
                         cpu, cluster.name);
      }
    }
    const auto& points = cluster.operating_points;
    for (size_t i = 1; i < points.size(); ++i) {
      if (points[i].frequency_khz <= points[i - 1].frequency_khz) {
        return bad_input(
            "cluster '{}': operating point {} kHz follows {} kHz, expected ascending "
            "frequencies",
            cluster.name, points[i].frequency_khz, points[i - 1].frequency_khz);
      }
    }
  }
  return {};
}

Status check_network(const ThermalNetwork& network) {
  std::set<std::string> names;
  for (const ThermalNode& node : network.nodes) {
    if (node.name == "ambient" || !names.insert(node.name).second) {
      return bad_input("thermal node '{}' stands twice ('ambient' is always there)", node.name);
    }
  }
  const auto missing = [&names](const std::string& name) { return !names.contains(name); };
  for (const ThermalLink& link : network.links) {
    for (const std::string& end : {link.from, link.to}) {
      if (end != "ambient" && missing(end)) {
        return bad_input(
            "a thermal link goes to '{}', which is no node; expected one of 'nodes' "
            "or 'ambient'",
            end);
      }
    }
    if (link.from == link.to) return bad_input("a thermal link goes from '{}' to itself", link.to);
  }
  for (const HeatInlet& inlet : network.inlets) {
    if (missing(inlet.node)) {
      return bad_input("the heat of '{}' goes to '{}', which is no node", inlet.source, inlet.node);
    }
  }
  if (!network.skin_node.empty() && missing(network.skin_node)) {
    return bad_input("skin_node '{}' is no node", network.skin_node);
  }
  return {};
}

}  // namespace

Status check_device(const Device& device) {
  if (device.clusters.empty()) return bad_input("the device has no clusters; a CPU is needed");
  EDGEWRIGHT_TRY(check_clusters(device));
  return check_network(device.thermal_network);
}

Result<Device> parse_device(std::string_view text, std::string_view file) {
  if (text.size() > kMaxDeviceFileBytes) {
    return bad_input("{}: {} bytes, expected at most {}", file, text.size(), kMaxDeviceFileBytes);
  }
  EDGEWRIGHT_ASSIGN(const Json table, parse_toml(text, file));
  EDGEWRIGHT_ASSIGN(Device device, read_fields<Device>(table, file));
  if (auto status = check_device(device); !status.ok()) return std::move(status).error().at(file);
  return device;
}

std::string device_to_toml(const Device& device) { return to_toml(write_fields(device)); }

Result<Device> load_device(const std::string& name_or_path) {
  const bool is_path =
      name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".toml");
  if (is_path) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(name_or_path, kMaxDeviceFileBytes));
    return parse_device(text, name_or_path);
  }
  const std::string_view text = catalogue_text("devices", name_or_path);
  if (!text.empty()) return parse_device(text, name_or_path + ".toml");
  return usage_error("no device '{}' in the catalogue, which has: {}; a file's name ends in .toml",
                     name_or_path, fmt::join(catalogue_names("devices"), ", "));
}

int64_t cpu_count(const Device& device) {
  int64_t count = 0;
  for (const Cluster& cluster : device.clusters) count += std::ssize(cluster.cpus);
  return count;
}

}  // namespace edgewright
