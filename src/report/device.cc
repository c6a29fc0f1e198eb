#include "edgewright/device.h"

#include "report/document.h"

namespace edgewright {
namespace {

// What no source states is zero in a device and nothing in a document.
template <class T>
Json known(T value) {
  return value > 0 ? Json(value) : Json();
}

Json cluster_json(const Cluster& cluster) {
  Json points = Json::array(), idle = Json::array(), peaks = Json::array();
  for (const OperatingPoint& point : cluster.operating_points) {
    points.push_back({{"frequency_khz", point.frequency_khz},
                      {"voltage_uv", point.voltage_uv},
                      {"power_uw", point.power_uw},
                      {"inefficient", point.inefficient}});
    if (point.interconnect_kb_s > 0) points.back()["interconnect_kb_s"] = point.interconnect_kb_s;
  }
  for (const IdleState& state : cluster.idle_states) {
    idle.push_back({{"name", state.name},
                    {"entry_us", state.entry_us},
                    {"exit_us", state.exit_us},
                    {"residency_us", state.residency_us},
                    {"power_uw", known(state.power_uw)},
                    {"whole_cluster", state.whole_cluster}});
  }
  for (const ComputePeak& peak : cluster.peaks) {
    peaks.push_back({{"dtype", peak.dtype},
                     {"operations_per_s", peak.operations_per_s},
                     {"frequency_khz", peak.frequency_khz},
                     {"measured", peak.measured},
                     {"source", peak.source}});
  }
  return {{"name", cluster.name},
          {"cpus", cluster.cpus},
          {"capacity", cluster.capacity},
          {"dmips_per_mhz", known(cluster.dmips_per_mhz)},
          {"dynamic_coefficient", known(cluster.dynamic_coefficient)},
          {"static_uw_per_v", known(cluster.static_uw_per_v)},
          {"power_source", cluster.power_source},
          {"stream_bytes_per_cycle", known(cluster.stream_bytes_per_cycle)},
          {"operating_points", points},
          {"idle_states", idle},
          {"peaks", peaks}};
}

Json zone_json(const ThermalZone& zone) {
  Json trips = Json::array(), cooling = Json::array();
  for (const ThermalTrip& trip : zone.trips) {
    trips.push_back({{"name", trip.name},
                     {"type", trip.type},
                     {"temperature_mc", trip.temperature_mc},
                     {"hysteresis_mc", trip.hysteresis_mc}});
  }
  for (const CoolingMap& map : zone.cooling) {
    cooling.push_back(
        {{"trip", map.trip}, {"coolers", map.coolers}, {"contribution", map.contribution}});
  }
  return {{"name", zone.name},
          {"sustainable_power_mw", known(zone.sustainable_power_mw)},
          {"polling_ms", zone.polling_ms},
          {"polling_passive_ms", zone.polling_passive_ms},
          {"trips", trips},
          {"cooling", cooling}};
}

Json network_json(const ThermalNetwork& network) {
  Json nodes = Json::array(), links = Json::array(), inlets = Json::array();
  for (const ThermalNode& node : network.nodes) {
    nodes.push_back({{"name", node.name}, {"capacity_j_per_k", node.capacity_j_per_k}});
  }
  for (const ThermalLink& link : network.links) {
    links.push_back(
        {{"from", link.from}, {"to", link.to}, {"conductance_w_per_k", link.conductance_w_per_k}});
  }
  for (const HeatInlet& inlet : network.inlets) {
    inlets.push_back({{"source", inlet.source}, {"node", inlet.node}});
  }
  return {{"source", network.source},
          {"nodes", nodes},
          {"links", links},
          {"inlets", inlets},
          {"skin_node", network.skin_node},
          {"skin_limit_c", known(network.skin_limit_c)},
          {"leakage_per_k", network.leakage_per_k},
          {"leakage_reference_c", network.leakage_reference_c}};
}

Json memory_json(const std::vector<MemoryLevel>& levels) {
  Json out = Json::array();
  for (const MemoryLevel& level : levels) {
    out.push_back({{"name", level.name},
                   {"size_bytes", level.size_bytes},
                   {"shared_by_cpus", level.shared_by_cpus},
                   {"bandwidth_bytes_per_s", known(level.bandwidth_bytes_per_s)},
                   {"energy_pj_per_byte", known(level.energy_pj_per_byte)},
                   {"measured", level.measured},
                   {"source", level.source}});
  }
  return out;
}

void add_device(Json& json, const Device& device) {
  json["name"] = device.name;
  json["model"] = device.model;
  json["source"] = device.source;
  json["notes"] = device.notes;
  json["clusters"] = Json::array();
  for (const Cluster& cluster : device.clusters) json["clusters"].push_back(cluster_json(cluster));
  json["thermal_zones"] = Json::array();
  for (const ThermalZone& zone : device.thermal_zones) {
    json["thermal_zones"].push_back(zone_json(zone));
  }
  json["thermal_network"] = network_json(device.thermal_network);
  json["memory"] = memory_json(device.memory);
  json["operation_energies"] = Json::array();
  for (const OperationEnergy& energy : device.operation_energies) {
    json["operation_energies"].push_back({{"operation", energy.operation},
                                          {"picojoules", energy.picojoules},
                                          {"process_nm", energy.process_nm},
                                          {"source", energy.source}});
  }
  json["platform_power_mw"] = known(device.platform_power_mw);
  json["memory_idle_power_mw"] = known(device.memory_idle_power_mw);
  json["battery_mwh"] = known(device.battery_mwh);
}

}  // namespace

std::string to_json(const DeviceReport& report, const std::string& command) {
  Json json = document(command, report.passed, report.warnings);
  add_device(json, report.device);
  return finish_document(json);
}

std::string to_json(const DeviceCalibrateReport& report) {
  Json json = document("device calibrate", report.passed, report.warnings);
  json["fits"] = Json::array();
  for (const ClusterFit& fit : report.fits) {
    json["fits"].push_back({{"cluster", fit.cluster},
                            {"first_cpu", fit.first_cpu},
                            {"points", fit.points},
                            {"coefficient", number(fit.coefficient)},
                            {"coefficient_error", number(fit.coefficient_error)},
                            {"outliers_khz", fit.outliers_khz},
                            {"error_without_outliers", number(fit.error_without_outliers)},
                            {"dynamic_coefficient", number(fit.dynamic_coefficient)},
                            {"static_uw_per_v", number(fit.static_uw_per_v)},
                            {"error", number(fit.error)},
                            {"stated_coefficient", fit.stated_coefficient},
                            {"suspicious", fit.suspicious},
                            {"table_only", fit.table_only}});
  }
  add_device(json, report.device);
  return finish_document(json);
}

}  // namespace edgewright
