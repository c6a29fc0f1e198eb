#pragma once

#include <map>
#include <set>
#include <string>

#include "power/govern/system_files.h"

namespace edgewright {

// A tree of files in memory that can be made to fail at its n-th access.
class FakeFiles : public SystemFiles {
 public:
  enum class Fault { kNone, kVanish, kIo, kPermission, kGarbage };

  Result<std::string> read(const std::string& path) override {
    const Fault fault = next_fault();
    if (fault == Fault::kGarbage) return std::string("\xFFgarbage 12x");
    if (fault != Fault::kNone) return error(path, fault);
    const auto found = files.find(path);
    if (found == files.end()) return error(path, Fault::kVanish);
    return found->second;
  }
  Status write(const std::string& path, const std::string& text) override {
    const Fault fault = next_fault();
    if (fault != Fault::kNone && fault != Fault::kGarbage) return error(path, fault);
    if (!files.contains(path)) return error(path, Fault::kVanish);
    files[path] = text;
    writes.emplace_back(path, text);
    return {};
  }
  std::vector<std::string> list(const std::string& folder) override {
    std::set<std::string> names;
    const std::string prefix = folder + "/";
    for (const auto& [path, text] : files) {
      if (path.starts_with(prefix)) {
        names.insert(path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size()));
      }
    }
    return {names.begin(), names.end()};
  }

  // A phone of one sm8250: three policies, a CPU and a skin zone, a RAPL-like counter.
  static FakeFiles phone() {
    FakeFiles fake;
    const auto policy = [&fake](int first, const char* cpus, const char* low, const char* high) {
      const std::string folder = fmt::format("sys/devices/system/cpu/cpufreq/policy{}/", first);
      fake.files[folder + "related_cpus"] = cpus;
      fake.files[folder + "cpuinfo_min_freq"] = low;
      fake.files[folder + "cpuinfo_max_freq"] = high;
      fake.files[folder + "scaling_min_freq"] = low;
      fake.files[folder + "scaling_max_freq"] = high;
    };
    policy(0, "0 1 2 3", "300000", "1804800");
    policy(4, "4 5 6", "710400", "2419200");
    policy(7, "7", "844800", "2841600");
    fake.files["sys/class/thermal/thermal_zone0/type"] = "cpu-0-0";
    fake.files["sys/class/thermal/thermal_zone0/temp"] = "48000";
    fake.files["sys/class/thermal/thermal_zone1/type"] = "skin-therm";
    fake.files["sys/class/thermal/thermal_zone1/temp"] = "33000";
    fake.files["sys/class/thermal/cooling_device0/type"] = "cpufreq-0";
    fake.files["sys/class/thermal/cooling_device0/cur_state"] = "0";
    fake.files["sys/class/thermal/cooling_device0/max_state"] = "16";
    fake.files["sys/class/powercap/intel-rapl:0/energy_uj"] = "100";
    fake.files["sys/class/powercap/intel-rapl:0/max_energy_range_uj"] = "262143328850";
    for (int cpu = 0; cpu < 8; ++cpu) {
      fake.files[fmt::format("sys/devices/system/cpu/cpu{}/cpuidle/state0/disable", cpu)] = "0";
      fake.files[fmt::format("sys/devices/system/cpu/cpu{}/cpuidle/state2/disable", cpu)] = "0";
    }
    fake.files["sys/class/devfreq/ddr/min_freq"] = "200000000";
    fake.files["sys/class/devfreq/ddr/max_freq"] = "2133000000";
    fake.files["sys/class/devfreq/gpu/min_freq"] = "100";
    fake.files["sys/class/devfreq/gpu/max_freq"] = "900";
    fake.files["proc/stat"] = "cpu 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0\ncpu4 5 0 0 1 0 0 0 0";
    return fake;
  }

  std::map<std::string, std::string> files;
  std::vector<std::pair<std::string, std::string>> writes;
  int64_t accesses = 0, fail_at = -1;
  Fault fault = Fault::kNone;
  bool fail_ever_after = false;

 private:
  Fault next_fault() {
    const int64_t access = accesses++;
    const bool now = fail_at >= 0 && (fail_ever_after ? access >= fail_at : access == fail_at);
    return now ? fault : Fault::kNone;
  }
  static Error error(const std::string& path, Fault fault) {
    const char* reason = fault == Fault::kIo           ? "input/output error"
                         : fault == Fault::kPermission ? "operation not permitted"
                                                       : "no such file or directory";
    return bad_input("cannot open {}: {}", path, reason);
  }
};

}  // namespace edgewright
