#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "power/govern/inventory.h"
#include "power/govern/knobs.h"
#include "power/govern/meter.h"
#include "power/policy.h"

namespace edgewright {

// What a process may be told without privileges.
class ProcessControl {
 public:
  virtual ~ProcessControl() = default;
  virtual Status set_affinity(const std::vector<int>& cpus) = 0;
  // Utilisation clamps of 0 to 1024 (sched_setattr).
  virtual Status set_clamps(int lowest, int highest) = 0;
};
// Of a running process, all its threads. Affinities and clamps are given back by the destructor.
std::unique_ptr<ProcessControl> control_process(int pid);

struct PhaseHint {
  Phase phase = Phase::kDecode;
  int batch = 1;
  double tokens = 1, context = 0;
};
// "idle", "prefill TOKENS", "decode BATCH CONTEXT"; kBadInput for anything else.
Result<PhaseHint> parse_phase_hint(const std::string& text);

// Holds a policy's setting on real interfaces: reads temperatures and load, asks the policy, writes
// what changed. Where frequencies cannot be set, a cluster's cooling device slows it down instead.
// Cores are given by affinity, and by the CPUs of the process's control group where it is alone. A
// file that fails three times in a row is not used any more and said in warnings(); nothing that
// fails stops the governor.
class Governor {
 public:
  Governor(SystemFiles& files, KnobSetter& knobs, Policy& policy, const Machine& machine,
           const Device& device, ProcessControl* process, int pid = 0);

  // One round at a time that the caller keeps; `hint` tells the engine's phase.
  void step(double now_s, const PhaseHint& hint);
  // The setting last reached, and whether the kernel has it: every policy's limit reads back.
  const Setting& setting() const { return setting_; }
  // All that the policy last wanted: what is the engine's affair is the caller's to pass on.
  const Decision& decision() const { return decision_; }
  bool reached() const { return reached_; }
  int64_t writes() const { return writes_; }
  double hottest_c() const { return hottest_c_; }
  const Inventory& inventory() const { return inventory_; }
  const EnergyMeter& meter() const { return meter_; }
  std::vector<std::string> warnings() const;

 private:
  void observe(double now_s, const PhaseHint& hint);
  void read_temperatures();
  void read_load();
  void apply(const Setting& setting);
  bool apply_frequency(const FrequencyPolicy& policy, int64_t frequency_khz, int64_t highest_khz);
  bool apply_cooling(size_t cluster, size_t point);
  void apply_affinity(const Setting& setting);
  void apply_idle(IdleChoice::Wish wish);
  void apply_memory(Phase phase);
  void set(const std::string& file, int64_t value);
  // Counts failures of a file; false once it is given up.
  bool usable(const std::string& file) const { return !given_up_.contains(file); }
  void note(const std::string& file, const Status& status);

  SystemFiles& files_;
  KnobSetter& knobs_;
  Policy& policy_;
  const Machine& machine_;
  const Device& device_;
  ProcessControl* process_;
  Inventory inventory_;
  EnergyMeter meter_;
  Observation seen_;
  Setting setting_;
  Decision decision_;
  std::vector<int> affinity_;
  std::string cpu_list_;  // of the process's own control group; empty: none
  size_t rotation_ = 0;   // by which cores of a cluster begin
  double rotated_s_ = 0;
  std::map<std::string, int64_t> written_;
  std::map<std::string, std::pair<int64_t, int64_t>> memory_bounds_;  // found at min_freq files
  std::map<std::string, int> failures_;
  std::map<std::string, std::string> given_up_;
  std::vector<std::pair<int64_t, int64_t>> cpu_ticks_;  // busy, all
  bool reached_ = false;
  int64_t writes_ = 0;
  double hottest_c_ = 0;
};

}  // namespace edgewright
