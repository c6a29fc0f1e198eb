#include "power/govern/governor.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace edgewright {
namespace {

constexpr int kPatience = 3;  // failures in a row until a file is given up
// Where cores are hot, work moves on to the next ones: often against how long a die takes to warm,
// seldom against what a migration costs.
constexpr double kRotateAboveC = 60, kRotateEveryS = 5;
// Idle states from this index on cost more to leave than a rest between requests is worth.
constexpr int kDeepState = 2;

bool share_a_cpu(const std::vector<int>& a, const std::vector<int>& b) {
  return std::ranges::any_of(a, [&b](int cpu) { return std::ranges::find(b, cpu) != b.end(); });
}

// Whether a cooling device slows down a cluster: "cpufreq-cpu4" is named after a CPU of its policy,
// "thermal-cpufreq-1" (before Linux 5.12) and "cpufreq-1" are counted.
bool cools(std::string_view type, size_t cluster, const std::vector<int>& cpus) {
  const size_t at = type.find_last_not_of("0123456789") + 1;
  size_t number = 0;
  if (type.find("cpufreq-") == std::string_view::npos || at == type.size() ||
      std::from_chars(type.data() + at, type.data() + type.size(), number).ec != std::errc()) {
    return false;
  }
  if (!type.substr(0, at).ends_with("cpu")) return number == cluster;
  return share_a_cpu({static_cast<int>(number)}, cpus);
}

bool is_memory(const std::string& device) {
  for (const char* part : {"dmc", "ddr", "dram", "memory", "mif", "bw"}) {
    if (device.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Result<PhaseHint> parse_phase_hint(const std::string& text) {
  std::istringstream in(text);
  std::string word;
  in >> word;
  PhaseHint hint;
  if (word == "idle") {
    hint.phase = Phase::kIdle;
    hint.batch = 0;
    return hint;
  }
  if (word == "prefill" && in >> hint.tokens && hint.tokens >= 1 && hint.tokens <= 1e7) {
    hint.phase = Phase::kPrefill;
    return hint;
  }
  if (word == "decode" && in >> hint.batch && hint.batch >= 1 && hint.batch <= 4096) {
    if (!(in >> hint.context) || hint.context < 0 || hint.context > 1e7) hint.context = 0;
    return hint;
  }
  return bad_input("phase '{}', expected 'idle', 'prefill TOKENS' or 'decode BATCH CONTEXT'",
                   text.substr(0, 40));
}

Governor::Governor(SystemFiles& files, KnobSetter& knobs, Policy& policy, const Machine& machine,
                   const Device& device, ProcessControl* process, int pid)
    : files_(files),
      knobs_(knobs),
      policy_(policy),
      machine_(machine),
      device_(device),
      process_(process),
      inventory_(take_inventory(files)),
      meter_(files, inventory_.sources),
      cpu_list_(pid > 0 ? cpu_list_of(files, pid) : "") {}

void Governor::note(const std::string& file, const Status& status) {
  if (status.ok()) {
    failures_.erase(file);
    return;
  }
  if (++failures_[file] >= kPatience) given_up_.emplace(file, status.error().message);
}

void Governor::step(double now_s, const PhaseHint& hint) {
  meter_.sample(now_s);
  observe(now_s, hint);
  decision_ = policy_.decide(seen_);
  if (hottest_c_ >= kRotateAboveC && now_s - rotated_s_ >= kRotateEveryS) {
    rotated_s_ = now_s;
    ++rotation_;
  }
  apply(decision_.setting);
  apply_idle(decision_.idle);
  apply_memory(hint.phase);
}

void Governor::observe(double now_s, const PhaseHint& hint) {
  seen_.now_s = now_s;
  seen_.phase = hint.phase;
  seen_.batch = hint.batch;
  seen_.decoding = hint.phase == Phase::kDecode ? hint.batch : 0;
  seen_.context = hint.context;
  // Hints say nothing of how long answers will be.
  constexpr double kTypicalAnswer = 128;
  seen_.longest_tokens_left = kTypicalAnswer;
  seen_.tokens_left = hint.phase == Phase::kPrefill ? hint.tokens : hint.batch;
  read_temperatures();
  read_load();
}

void Governor::read_temperatures() {
  double die_c = -300, skin_c = -300;
  for (const ZoneFile& zone : inventory_.zones) {
    const std::string file = zone.folder + "/temp";
    if (!usable(file)) continue;
    const auto reading = files_.read_number(file);
    // Zones that are off give nonsense far outside what silicon survives.
    const bool sound = reading.ok() && *reading > -60'000 && *reading < 200'000;
    note(file, sound ? Status() : Status(bad_input("{} reads as no temperature", file)));
    if (!sound) continue;
    const double celsius = static_cast<double>(*reading) * 1e-3;
    const bool skin = zone.type.find("skin") != std::string::npos;
    (skin ? skin_c : die_c) = std::max(skin ? skin_c : die_c, celsius);
  }
  if (die_c > -300) seen_.die_c = hottest_c_ = die_c;
  // Without a sensor the case is taken to lie half way to the ambient.
  seen_.skin_c = skin_c > -300 ? skin_c : (seen_.die_c + seen_.ambient_c) / 2;
  seen_.cluster_c.assign(machine_.clusters(), seen_.die_c);
  seen_.temperatures_c.assign(device_.thermal_network.nodes.size(), seen_.skin_c);
  for (const HeatInlet& inlet : device_.thermal_network.inlets) {
    if (!inlet.source.starts_with("cluster")) continue;
    for (size_t i = 0; i < seen_.temperatures_c.size(); ++i) {
      if (device_.thermal_network.nodes[i].name == inlet.node) {
        seen_.temperatures_c[i] = seen_.die_c;
      }
    }
  }
}

// The busy share of each cluster since the last round, from the kernel's tick counts.
void Governor::read_load() {
  const std::string file = "proc/stat";
  seen_.busy_share.assign(machine_.clusters(), 1);
  if (!usable(file)) return;
  const auto text = files_.read(file);
  note(file, text.ok() ? Status() : Status(text.error()));
  if (!text.ok()) return;
  std::vector<std::pair<int64_t, int64_t>> ticks;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("cpu") || line.size() < 4 || line[3] == ' ') continue;
    std::istringstream words(line.substr(3));
    size_t cpu = 0;
    int64_t value = 0, all = 0, idle = 0;
    words >> cpu;
    for (int column = 0; column < 8 && words >> value; ++column) {
      all += value;
      if (column == 3 || column == 4) idle += value;  // idle and waiting for disks
    }
    if (cpu >= 4096) continue;
    ticks.resize(std::max(ticks.size(), cpu + 1));
    ticks[cpu] = {all - idle, all};
  }
  for (size_t i = 0; i < device_.clusters.size() && ticks.size() == cpu_ticks_.size(); ++i) {
    double busiest = 0;
    for (const int cpu : device_.clusters[i].cpus) {
      const auto c = static_cast<size_t>(cpu);
      if (c >= ticks.size() || ticks[c].second <= cpu_ticks_[c].second) continue;
      busiest = std::max(busiest, static_cast<double>(ticks[c].first - cpu_ticks_[c].first) /
                                      static_cast<double>(ticks[c].second - cpu_ticks_[c].second));
    }
    seen_.busy_share[i] = std::clamp(busiest, 0.0, 1.0);
  }
  cpu_ticks_ = std::move(ticks);
}

void Governor::apply(const Setting& setting) {
  reached_ = true;
  for (size_t i = 0; i < device_.clusters.size(); ++i) {
    // A cluster without work is left at its lowest frequency.
    const size_t point = setting.clusters[i].cores > 0 ? setting.clusters[i].point : 0;
    bool held = false, usable_policy = false;
    for (const FrequencyPolicy& policy : inventory_.policies) {
      if (!share_a_cpu(policy.cpus, device_.clusters[i].cpus)) continue;
      held = apply_frequency(policy, machine_.frequency_khz(i, point),
                             machine_.frequency_khz(i, machine_.points(i) - 1));
      usable_policy = usable(policy.folder + "/scaling_max_freq");
    }
    if (!usable_policy) held = apply_cooling(i, point);
    reached_ &= held;
  }
  apply_affinity(setting);
  setting_ = setting;
}

bool Governor::apply_frequency(const FrequencyPolicy& policy, int64_t wanted_khz,
                               int64_t highest_khz) {
  int64_t khz = std::clamp(wanted_khz, policy.min_khz, policy.max_khz);
  // Of what this kernel offers, the next one that is fast enough and that the device has.
  const auto offered = std::ranges::lower_bound(policy.available_khz, khz);
  if (offered != policy.available_khz.end() && *offered <= std::min(policy.max_khz, highest_khz)) {
    khz = *offered;
  }
  const std::string file = policy.folder + "/scaling_max_freq";
  if (!usable(file)) return false;
  const auto before = written_.find(file);
  const auto now = files_.read_number(file);
  if (before != written_.end() && before->second == khz && now.ok() && *now == khz) return true;
  const Status status = knobs_.set(file, khz);
  note(file, status);
  if (!status.ok()) return false;
  ++writes_;
  written_[file] = khz;
  const auto after = files_.read_number(file);
  return after.ok() && *after == khz;
}

// States stand for the operating points from the highest down.
bool Governor::apply_cooling(size_t cluster, size_t point) {
  for (const CoolingDevice& cooler : inventory_.cooling_devices) {
    if (!cools(cooler.type, cluster, device_.clusters[cluster].cpus)) continue;
    const std::string file = cooler.folder + "/cur_state";
    const auto steps = static_cast<double>(machine_.points(cluster) - 1);
    const double slower = steps - static_cast<double>(point);
    const auto state = static_cast<int64_t>(
        std::floor(steps > 0 ? static_cast<double>(cooler.max_state) * slower / steps : 0));
    set(file, state);
    const auto now = files_.read_number(file);
    return now.ok() && *now == state;
  }
  return false;
}

void Governor::apply_affinity(const Setting& setting) {
  if (process_ == nullptr || !usable("affinity")) return;
  std::vector<int> cpus;
  int64_t capacity = 0;
  for (size_t i = 0; i < device_.clusters.size(); ++i) {
    const auto& all = device_.clusters[i].cpus;
    const auto count = std::min<size_t>(all.size(), static_cast<size_t>(setting.clusters[i].cores));
    for (size_t k = 0; k < count; ++k) cpus.push_back(all[(rotation_ + k) % all.size()]);
    if (count > 0) capacity = std::max(capacity, machine_.capacity(i));
  }
  if (cpus.empty() || cpus == affinity_) return;
  // First the group: threads cannot be put where it does not reach.
  if (!cpu_list_.empty() && usable(cpu_list_)) {
    const Status confined = knobs_.set_cpus(cpu_list_, cpus);
    note(cpu_list_, confined);
    if (confined.ok()) ++writes_;
  }
  const Status status = process_->set_affinity(cpus);
  note("affinity", status);
  if (status.ok()) affinity_ = cpus;
  if (usable("clamps")) note("clamps", process_->set_clamps(0, static_cast<int>(capacity)));
}

void Governor::set(const std::string& file, int64_t value) {
  const auto before = written_.find(file);
  if (!usable(file) || (before != written_.end() && before->second == value)) return;
  const Status status = knobs_.set(file, value);
  note(file, status);
  if (!status.ok()) return;
  ++writes_;
  written_[file] = value;
}

// Before a short rest deep states are closed, which keeps them from being chosen in vain.
void Governor::apply_idle(IdleChoice::Wish wish) {
  for (const std::string& folder : inventory_.idle_states) {
    const size_t name = folder.rfind("/state");
    if (name == std::string::npos || std::atoi(folder.c_str() + name + 6) < kDeepState) continue;
    for (const Cluster& cluster : device_.clusters) {
      for (const int cpu : cluster.cpus) {
        const std::string file =
            fmt::format("sys/devices/system/cpu/cpu{}/cpuidle{}/disable", cpu, folder.substr(name));
        const bool shallow = wish == IdleChoice::Wish::kShallow;
        // What was never closed need not be opened.
        if (shallow || written_.contains(file)) set(file, shallow ? 1 : 0);
      }
    }
  }
}

// Decoding is bound by memory, which its governor would not know before it is late.
void Governor::apply_memory(Phase phase) {
  for (const std::string& folder : inventory_.frequency_devices) {
    if (!is_memory(folder)) continue;
    const std::string file = folder + "/min_freq";
    if (!usable(file)) continue;
    if (!memory_bounds_.contains(file)) {
      const auto low = files_.read_number(file), high = files_.read_number(folder + "/max_freq");
      note(file, low.ok() && high.ok() ? Status() : Status(bad_input("{}: no bounds", folder)));
      if (!low.ok() || !high.ok()) continue;
      memory_bounds_[file] = {*low, *high};
    }
    const auto& [low, high] = memory_bounds_[file];
    if (phase == Phase::kDecode || written_.contains(file)) {
      set(file, phase == Phase::kDecode ? high : low);
    }
  }
}

std::vector<std::string> Governor::warnings() const {
  std::vector<std::string> out = inventory_.warnings;
  for (const auto& [file, reason] : given_up_) {
    out.push_back(fmt::format("{} is not used any more: {}", file, reason));
  }
  return out;
}

}  // namespace edgewright
