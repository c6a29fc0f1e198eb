#include "power/govern/knobs.h"

#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>

#include "power/govern/inventory.h"

namespace edgewright {
namespace {

// A file that may be set, and the files beside it that bound its value; a number stands for
// itself. '*' matches no '/'.
struct Rule {
  const char* pattern;
  const char* low;
  const char* high;
};
constexpr Rule kRules[] = {
    {"sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq", "cpuinfo_min_freq",
     "cpuinfo_max_freq"},
    {"sys/devices/system/cpu/cpufreq/policy*/scaling_min_freq", "cpuinfo_min_freq",
     "cpuinfo_max_freq"},
    {"sys/devices/system/cpu/cpu*/cpuidle/state*/disable", "0", "1"},
    {"sys/class/thermal/cooling_device*/cur_state", "0", "max_state"},
    {"sys/class/devfreq/*/min_freq", "min_freq", "max_freq"},
    {"sys/class/devfreq/*/max_freq", "min_freq", "max_freq"},
    // A power limit may only be lowered.
    {"sys/class/powercap/*/constraint_0_power_limit_uw", "1000000", "constraint_0_power_limit_uw"},
};

const Rule* rule_of(const std::string& path) {
  if (path.find("..") != std::string::npos) return nullptr;
  const auto found = std::ranges::find_if(kRules, [&path](const Rule& rule) {
    return ::fnmatch(rule.pattern, path.c_str(), FNM_PATHNAME) == 0;
  });
  return found == std::end(kRules) ? nullptr : found;
}

// The CPUs of a control group, of whichever depth; the uppermost one has no such file.
bool is_cpu_list(const std::string& path) {
  return path.starts_with("sys/fs/cgroup/") && path.ends_with("/cpuset.cpus") &&
         path.find("..") == std::string::npos;
}

bool within(const std::vector<int>& some, const std::vector<int>& all) {
  return std::ranges::all_of(some,
                             [&all](int cpu) { return std::ranges::find(all, cpu) != all.end(); });
}

}  // namespace

bool is_knob(const std::string& path) { return rule_of(path) != nullptr || is_cpu_list(path); }

std::vector<FrequencyBounds> frequency_bounds(const Device& device) {
  std::vector<FrequencyBounds> bounds;
  for (const Cluster& cluster : device.clusters) {
    if (cluster.operating_points.empty()) continue;
    const auto [low, high] =
        std::ranges::minmax(cluster.operating_points, {}, &OperatingPoint::frequency_khz);
    bounds.push_back({cluster.cpus, low.frequency_khz, high.frequency_khz});
  }
  return bounds;
}

Knobs::~Knobs() {
  // The last resort; whoever wants to know how it went calls restore() before.
  (void)restore().ok();
}

Result<Knobs::Limits> Knobs::limits_of(const std::string& path) {
  const auto known = limits_.find(path);
  if (known != limits_.end()) return known->second;
  const Rule* rule = rule_of(path);
  if (rule == nullptr) return unsupported("{} is not on the allow-list of what may be set", path);
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  const auto bound = [&](const char* text) -> Result<int64_t> {
    if (*text >= '0' && *text <= '9') return std::stoll(text);
    return files_.read_number(folder + text);
  };
  Limits limits;
  EDGEWRIGHT_ASSIGN(limits.low, bound(rule->low));
  EDGEWRIGHT_ASSIGN(limits.high, bound(rule->high));
  if (limits.low > limits.high) {
    return bad_input("{}: bounds {} to {} make no sense", path, limits.low, limits.high);
  }
  if (path.find("/cpufreq/policy") != std::string::npos) {
    EDGEWRIGHT_TRY(narrow_to_device(folder, limits));
  }
  limits_.emplace(path, limits);
  return limits;
}

Status Knobs::narrow_to_device(const std::string& folder, Limits& limits) {
  if (bounds_.empty()) return {};
  EDGEWRIGHT_ASSIGN(const std::string text, files_.read(folder + "related_cpus"));
  const std::vector<int> cpus = parse_cpu_list(text);
  for (const FrequencyBounds& bounds : bounds_) {
    if (cpus.empty() || !within({cpus.front()}, bounds.cpus)) continue;
    limits.low = std::max(limits.low, bounds.low_khz);
    limits.high = std::min(limits.high, bounds.high_khz);
    if (limits.low <= limits.high) return {};
    return bad_input(
        "{}: the kernel's frequencies and those of the device, {} to {} kHz, do not "
        "meet; is this that device?",
        folder, bounds.low_khz, bounds.high_khz);
  }
  return bad_input("{}: CPUs '{}' are none of the device's", folder, text);
}

Status Knobs::set(const std::string& path, int64_t value) {
  EDGEWRIGHT_ASSIGN(const Limits limits, limits_of(path));
  if (value < limits.low || value > limits.high) {
    return bad_input("{}: {} is out of its bounds, {} to {}", path, value, limits.low, limits.high);
  }
  if (!originals_.contains(path)) {
    EDGEWRIGHT_ASSIGN(const int64_t original, files_.read_number(path));
    originals_.emplace(path, fmt::format("{}", original));
  }
  return files_.write(path, fmt::format("{}", value));
}

Status Knobs::set_cpus(const std::string& path, const std::vector<int>& cpus) {
  if (!is_cpu_list(path)) {
    return unsupported("{} is not on the allow-list of what may hold CPUs", path);
  }
  EDGEWRIGHT_ASSIGN(const std::string possible, files_.read("sys/devices/system/cpu/possible"));
  if (cpus.empty() || !within(cpus, parse_cpu_list(possible))) {
    return bad_input("{}: CPUs {} are none or not among {}", path, fmt::join(cpus, ","), possible);
  }
  if (!originals_.contains(path)) {
    EDGEWRIGHT_ASSIGN(std::string original, files_.read(path));
    // Empty stands for those of the group above.
    if (!original.empty() && parse_cpu_list(original).empty()) {
      return bad_input("{}: found '{}', expected a list of CPUs", path, original.substr(0, 40));
    }
    originals_.emplace(path, std::move(original));
  }
  return files_.write(path, fmt::format("{}", fmt::join(cpus, ",")));
}

Status Knobs::restore() {
  // A lower bound cannot pass its upper one, so that the order of restoring matters; a second round
  // sets what the first could not.
  std::string failed;
  for (int round = 0; round < 2 && !originals_.empty(); ++round) {
    failed.clear();
    for (auto at = originals_.begin(); at != originals_.end();) {
      const auto status = files_.write(at->first, at->second);
      if (!status.ok()) failed = status.error().message;
      const auto now = files_.read(at->first);
      const bool done = status.ok() && now.ok() && *now == at->second;
      at = done ? originals_.erase(at) : std::next(at);
    }
  }
  if (originals_.empty()) return {};
  const size_t left = originals_.size();
  // A file that is gone has nothing to be restored in.
  originals_.clear();
  return bad_input("{} files could not be restored: {}", left, failed);
}

}  // namespace edgewright
