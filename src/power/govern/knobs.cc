#include "power/govern/knobs.h"

#include <fnmatch.h>

#include <algorithm>

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

}  // namespace

bool is_knob(const std::string& path) { return rule_of(path) != nullptr; }

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
  limits_.emplace(path, limits);
  return limits;
}

Status Knobs::set(const std::string& path, int64_t value) {
  EDGEWRIGHT_ASSIGN(const Limits limits, limits_of(path));
  if (value < limits.low || value > limits.high) {
    return bad_input("{}: {} is out of its bounds, {} to {}", path, value, limits.low, limits.high);
  }
  if (!originals_.contains(path)) {
    EDGEWRIGHT_ASSIGN(const int64_t original, files_.read_number(path));
    originals_.emplace(path, original);
  }
  return files_.write(path, fmt::format("{}", value));
}

Status Knobs::restore() {
  // A lower bound cannot pass its upper one, so that the order of restoring matters; a second round
  // sets what the first could not.
  std::string failed;
  for (int round = 0; round < 2 && !originals_.empty(); ++round) {
    failed.clear();
    for (auto at = originals_.begin(); at != originals_.end();) {
      const auto status = files_.write(at->first, fmt::format("{}", at->second));
      if (!status.ok()) failed = status.error().message;
      const auto now = files_.read_number(at->first);
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
