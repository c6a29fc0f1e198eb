#include "device_text.h"

#include "command.h"

namespace edgewright::cli {
namespace {

std::string known(int64_t value) { return value == 0 ? "-" : fmt::format("{}", value); }

std::string cluster_text(const Cluster& cluster) {
  std::string out = fmt::format("\n{}: CPUs {}, capacity {}", cluster.name,
                                fmt::join(cluster.cpus, " "), known(cluster.capacity));
  if (!cluster.power_source.empty()) out += ", power by " + cluster.power_source;
  out += "\n";
  std::vector<std::vector<std::string>> rows = {{"kHz", "uV", "uW", ""}};
  for (const OperatingPoint& point : cluster.operating_points) {
    rows.push_back({fmt::format("{}", point.frequency_khz), known(point.voltage_uv),
                    known(point.power_uw), point.inefficient ? "inefficient" : ""});
  }
  if (rows.size() > 1) out += table(rows);
  rows = {{"idle state", "entry us", "exit us", "residency us"}};
  for (const IdleState& state : cluster.idle_states) {
    rows.push_back(
        {state.name, known(state.entry_us), known(state.exit_us), known(state.residency_us)});
  }
  if (rows.size() > 1) out += table(rows);
  return out;
}

}  // namespace

std::string device_text(const Device& device) {
  std::string out = fmt::format("{}: {}\nfrom {}\n", device.name, device.model, device.source);
  for (const Cluster& cluster : device.clusters) out += cluster_text(cluster);
  std::vector<std::vector<std::string>> rows = {{"thermal zone", "trips C", "sustainable mW"}};
  for (const ThermalZone& zone : device.thermal_zones) {
    std::string trips;
    for (const ThermalTrip& trip : zone.trips) {
      trips += fmt::format("{}{} {:g}", trips.empty() ? "" : ", ", trip.type,
                           static_cast<double>(trip.temperature_mc) / 1000);
    }
    rows.push_back({zone.name, trips, known(zone.sustainable_power_mw)});
  }
  if (rows.size() > 1) out += "\n" + table(rows);
  return out;
}

}  // namespace edgewright::cli
