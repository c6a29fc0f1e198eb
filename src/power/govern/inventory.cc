#include "power/govern/inventory.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace edgewright {
namespace {

constexpr int kMaxCpus = 4096;

std::vector<int64_t> numbers_in(const std::string& text) {
  std::vector<int64_t> out;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at != end) {
    int64_t value = 0;
    const auto [next, code] = std::from_chars(at, end, value);
    if (code == std::errc()) {
      out.push_back(value);
      at = next;
    } else {
      ++at;
    }
  }
  return out;
}

void find_policies(SystemFiles& files, Inventory& out) {
  const std::string parent = "sys/devices/system/cpu/cpufreq";
  for (const std::string& name : files.list(parent)) {
    if (!name.starts_with("policy")) continue;
    FrequencyPolicy policy{.folder = parent + "/" + name};
    const auto low = files.read_number(policy.folder + "/cpuinfo_min_freq");
    const auto high = files.read_number(policy.folder + "/cpuinfo_max_freq");
    const auto cpus = files.read(policy.folder + "/related_cpus");
    if (!low.ok() || !high.ok() || !cpus.ok() || *low <= 0 || *high < *low) {
      out.warnings.push_back(fmt::format("{} is incomplete and left alone", policy.folder));
      continue;
    }
    policy.min_khz = *low;
    policy.max_khz = *high;
    for (const int64_t cpu : numbers_in(*cpus)) {
      if (cpu >= 0 && cpu < kMaxCpus) policy.cpus.push_back(static_cast<int>(cpu));
    }
    if (cpus->find('-') != std::string::npos) policy.cpus = parse_cpu_list(*cpus);
    const auto available = files.read(policy.folder + "/scaling_available_frequencies");
    if (available.ok()) policy.available_khz = numbers_in(*available);
    std::ranges::sort(policy.available_khz);
    out.policies.push_back(std::move(policy));
  }
}

void find_thermal(SystemFiles& files, Inventory& out) {
  const std::string parent = "sys/class/thermal";
  for (const std::string& name : files.list(parent)) {
    const std::string folder = parent + "/" + name;
    const auto type = files.read(folder + "/type");
    if (name.starts_with("thermal_zone")) {
      out.zones.push_back({folder, type.ok() ? *type : ""});
    } else if (name.starts_with("cooling_device")) {
      const auto most = files.read_number(folder + "/max_state");
      if (most.ok() && *most > 0) {
        out.cooling_devices.push_back({folder, type.ok() ? *type : "", *most});
      }
    }
  }
}

void find_rapl(SystemFiles& files, Inventory& out) {
  const std::string parent = "sys/class/powercap";
  for (const std::string& name : files.list(parent)) {
    const std::string folder = parent + "/" + name;
    // Packages only: their parts are counted in them.
    const bool package = std::ranges::count(name, ':') == 1;
    if (package && files.read_number(folder + "/energy_uj").ok()) {
      out.sources.push_back({PowerSource::Kind::kRapl, name, folder + "/energy_uj",
                             folder + "/max_energy_range_uj", "", 1e-6});
    }
  }
}

void find_hwmon(SystemFiles& files, Inventory& out) {
  const std::string parent = "sys/class/hwmon";
  for (const std::string& name : files.list(parent)) {
    const std::string folder = parent + "/" + name;
    const auto chip = files.read(folder + "/name");
    for (const std::string& file : files.list(folder)) {
      if (file.starts_with("power") && file.ends_with("_input")) {
        out.sources.push_back({PowerSource::Kind::kHwmonPower, chip.ok() ? *chip : name,
                               folder + "/" + file, "", "", 1e-6});
      }
      // INA3221: volts in mV and amperes in mA, channel by channel.
      const bool ina =
          chip.ok() && *chip == "ina3221" && file.starts_with("in") && file.ends_with("_input");
      const std::string current = folder + "/curr" + file.substr(std::min<size_t>(2, file.size()));
      if (ina && files.read_number(current).ok()) {
        out.sources.push_back(
            {PowerSource::Kind::kHwmonPower, "ina3221", folder + "/" + file, "", current, 1e-3});
      }
    }
  }
}

void find_batteries(SystemFiles& files, Inventory& out) {
  const std::string parent = "sys/class/power_supply";
  for (const std::string& name : files.list(parent)) {
    const std::string folder = parent + "/" + name;
    const auto type = files.read(folder + "/type");
    if (!type.ok() || *type != "Battery") continue;
    if (files.read_number(folder + "/power_now").ok()) {
      out.sources.push_back(
          {PowerSource::Kind::kBattery, name, folder + "/power_now", "", "", 1e-6});
    } else if (files.read_number(folder + "/voltage_now").ok() &&
               files.read_number(folder + "/current_now").ok()) {
      out.sources.push_back({PowerSource::Kind::kBattery, name, folder + "/voltage_now", "",
                             folder + "/current_now", 1e-6});
    }
  }
}

}  // namespace

std::string cpu_list_of(SystemFiles& files, int pid) {
  const auto groups = files.read(fmt::format("proc/{}/cgroup", pid));
  if (!groups.ok()) return "";
  std::istringstream lines(*groups);
  for (std::string line; std::getline(lines, line);) {
    // "0::/PATH" of the one hierarchy, "NUMBER:cpuset:/PATH" of one for CPUs alone.
    const size_t slash = line.find(":/");
    if (slash == std::string::npos) continue;
    const bool unified = line.starts_with("0::");
    if (!unified && line.substr(0, slash).find("cpuset") == std::string::npos) continue;
    const std::string folder =
        fmt::format("sys/fs/cgroup{}{}", unified ? "" : "/cpuset", line.substr(slash + 1));
    const auto members = files.read(folder + "/cgroup.procs");
    if (!members.ok() || *members != fmt::format("{}", pid)) continue;
    if (files.read(folder + "/cpuset.cpus").ok()) return folder + "/cpuset.cpus";
  }
  return "";
}

std::vector<int> parse_cpu_list(const std::string& text) {
  std::vector<int> cpus;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at != end) {
    int first = 0;
    auto read = std::from_chars(at, end, first);
    int last = first;
    if (read.ec == std::errc() && read.ptr != end && *read.ptr == '-') {
      read = std::from_chars(read.ptr + 1, end, last);
    }
    if (read.ec != std::errc() || first < 0 || last < first || last >= kMaxCpus) return {};
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    at = read.ptr;
    if (at != end && *at != ',' && *at != ' ') return {};
    if (at != end) ++at;
  }
  return cpus;
}

Inventory take_inventory(SystemFiles& files) {
  Inventory out;
  find_policies(files, out);
  find_thermal(files, out);
  find_rapl(files, out);
  find_hwmon(files, out);
  find_batteries(files, out);
  for (const std::string& name : files.list("sys/class/devfreq")) {
    out.frequency_devices.push_back("sys/class/devfreq/" + name);
  }
  for (const std::string& name : files.list("sys/devices/system/cpu/cpu0/cpuidle")) {
    out.idle_states.push_back("sys/devices/system/cpu/cpu0/cpuidle/" + name);
  }
  const auto say = [&out](bool missing, std::string_view what, std::string_view instead) {
    if (missing) out.warnings.push_back(fmt::format("no {} here; {}", what, instead));
  };
  say(out.policies.empty(), "cpufreq",
      "frequencies stay as they are, cores are chosen by affinity");
  say(out.zones.empty(), "thermal zones", "temperatures are not known and nothing is held back");
  say(out.sources.empty(), "energy counter or power sensor", "energy is not measured");
  say(out.idle_states.empty(), "cpuidle", "idle states are the kernel's affair");
  return out;
}

}  // namespace edgewright
