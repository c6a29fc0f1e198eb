#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "power/front.h"
#include "power/idle_choice.h"
#include "power/kernel_policies.h"
#include "power/language_load.h"
#include "power/thermal_model.h"

namespace edgewright {

enum class Phase { kIdle, kPrefill, kDecode };

// What a policy may know; the simulator and the governor fill it alike.
struct Observation {
  double now_s = 0;
  Phase phase = Phase::kIdle;
  int batch = 0;     // sequences being worked on
  int decoding = 0;  // of them, those past their prompt
  int waiting = 0;   // requests not yet begun
  // Prompt tokens left of the sequence beyond the batch (Decision::prompt_ahead); 0: none.
  double ahead_tokens = 0;
  double context = 0;      // positions before the current token, on average
  double tokens_left = 0;  // of all sequences: prompt tokens in prefill, output tokens in decode
  double longest_tokens_left = 0;  // output tokens of the longest sequence, as predicted
  double time_left_s = 1e9;        // until the deadline of the most urgent request
  double skin_c = 25, die_c = 25;
  std::vector<double> temperatures_c;  // of every thermal node
  std::vector<double> cluster_c;       // next to each cluster
  double ambient_c = 25;
  std::vector<double> busy_share;   // of each cluster since the last decision, 0 to 1
  double energy_j = 0, tokens = 0;  // of the device since it began; 0 where nothing meters them
};

// What a policy wants until it is asked again.
struct Decision {
  Setting setting;
  std::string_view reason;  // "" or why it is held back: "step_wise", "budget"
  double duty = 1;          // share of the time that the engine may work; it rests in between
  int batch = 0;            // most sequences at once; 0: as many as the engine is set to
  double chunk_tokens = 0;  // prompt tokens computed beside each step of decoding; 0: prompts alone
  // The prompt of one sequence beyond the batch may be computed beside the decoding of the batch;
  // it decodes when a place in the batch is free.
  bool prompt_ahead = false;
  IdleChoice::Wish idle = IdleChoice::Wish::kTimerEvents;
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual std::string_view name() const = 0;
  virtual Decision decide(const Observation& seen) = 0;
};

// What all policies are told before they begin.
struct PolicyContext {
  const Machine* machine = nullptr;
  const LanguageLoad* load = nullptr;
  const ThermalNetwork* network = nullptr;
  double skin_limit_c = 0;  // 0: none
  int max_batch = 1;
};

// All big cores at their highest frequency, whatever happens.
std::unique_ptr<Policy> highest_frequency_policy(const PolicyContext& context);
// schedutil on the cores that energy-aware scheduling gives an engine with as many threads as there
// are big cores, held back at the skin limit by step_wise, or by the power allocator (IPA); idle
// states as the kernel's TEO or menu governor chooses them.
struct KernelGovernors {
  std::string_view policy;  // as what it is known
  enum class Thermal { kStepWise, kPowerAllocator } thermal = Thermal::kStepWise;
  IdleChoice::Wish idle = IdleChoice::Wish::kTimerEvents;
};
inline constexpr KernelGovernors kKernelGovernors[] = {
    {"schedutil"},
    {"schedutil-menu", KernelGovernors::Thermal::kStepWise, IdleChoice::Wish::kMenu},
    {"ipa", KernelGovernors::Thermal::kPowerAllocator}};
std::unique_ptr<Policy> schedutil_policy(const PolicyContext& context,
                                         const KernelGovernors& governors);
// The textbook rule f = fmin + (fmax - fmin) sqrt(Q / Qmax) on the big cores.
std::unique_ptr<Policy> square_root_policy(const PolicyContext& context, int queue_max);
// Knows no model of the machine: tries numbers of cores and frequencies in turn and keeps to those
// that cost least energy a token by its own measurement, slow ones being charged for their delay
// (discounted upper confidence bounds; Garivier and Moulines 2011).
std::unique_ptr<Policy> learning_policy(const PolicyContext& context, double slack);

// Ours: per phase and batch the cheapest setting of the front that is quick enough, held within the
// heat that the thermal network lets through.
struct PhaseAwareOptions {
  double slack = 1.0;  // decode and prefill may take this many times the quickest time
  double hurry = 1;    // by how much one waiting request divides the slack beyond the quickest
  // With a deadline the slack is what the deadline leaves.
  bool use_deadline = false;
  double deadline_share = 0.8;  // of the time left that the work may fill; more when it is hot
  // Or by utility: performance^a / power^b; 0, 0: by slack.
  double utility_a = 0, utility_b = 0;
  // Whether the engine can be told to rest; if not, less heat means slower settings.
  bool can_rest = true;
  bool platform_on_anyway = false;  // the device stays on between requests (pareto_front)
  double switching_share = 0.05;    // of the time that changes of the setting may take
  double least_gain = 0.03;         // of energy, for a change within the same phase
  double horizon_s = 120;           // over which the heat is foreseen
  double skin_margin_c = 0.1;
  // The batch grows to this as the skin nears its limit: weights are then read for several
  // sequences at once. 0: it does not.
  int hot_batch = 0;
  // Prompts are computed in pieces beside decoding, as large as memory leaves the cores idle; with
  // a full batch that of the next request.
  bool interleave = false;
  // Work moves to an equal cluster that is so much cooler.
  double rotate_gap_c = 2;
};
std::unique_ptr<Policy> phase_aware_policy(const PolicyContext& context,
                                           const PhaseAwareOptions& options);

// With `interleave` the policies of the kernel have an engine that computes the next prompt beside
// decoding, too. By name: "highest", those of kKernelGovernors, "square-root", "learned",
// "phase-aware", or a mode of kPowerModes. kUsage naming them.
Result<std::unique_ptr<Policy>> make_policy(const std::string& name, const PolicyContext& context,
                                            const PhaseAwareOptions& options);

// So many prompt tokens that decoding takes hardly longer beside them with all big cores:
// arithmetic fills the time in which memory delivers the weights. A power of two; 0 where no time
// is left.
class FreePromptTokens {
 public:
  // Both outlive it.
  FreePromptTokens(const Machine& machine, const LanguageLoad& load)
      : machine_(machine), load_(load) {}
  // Beside so many sequences that decode, with so many positions before each.
  double beside(int decoding, double context) const;

 private:
  const Machine& machine_;
  const LanguageLoad& load_;
  mutable std::map<std::pair<int, int>, double> known_;  // by 256 positions
};

// Four stages of throttling with hysteresis: a stage is entered at its temperature and left two
// kelvin below it.
class StagedThrottle {
 public:
  explicit StagedThrottle(double limit_c) : limit_c_(limit_c) {}
  // 0 far below the limit, 4 at it.
  int stage(double temperature_c);

 private:
  double limit_c_;
  int stage_ = 0;
};

// The power, constant over a horizon, that brings a node exactly to its limit at the end of it, by
// the linearity of the network. `inlet` is where the power enters.
double heat_budget_w(ThermalModel& model, std::vector<double> temperatures_c, double ambient_c,
                     size_t inlet, size_t limited_node, double limit_c, double horizon_s);

// Where a device is limited: at its skin, or on boards without one at what carries the platform's
// heat. And where its cores give their heat to. kBadInput when the network lacks them.
struct LimitedHeat {
  ThermalModel model;
  size_t limited_node = 0, inlet = 0;
};
Result<LimitedHeat> limited_heat(const ThermalNetwork& network);

}  // namespace edgewright
