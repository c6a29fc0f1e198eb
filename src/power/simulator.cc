#include "power/simulator.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "power/idle_choice.h"
#include "power/length_predictor.h"

namespace edgewright {
namespace {

constexpr double kWindowS = 60;  // of burst and sustained rates
constexpr double kNever = 1e18;

struct Sequence {
  const Request* request = nullptr;
  double prompt_left = 0, output_left = 0, context = 0;
};

// Where each part of the device gives its heat to the network.
struct HeatPath {
  std::vector<size_t> clusters;
  size_t memory = 0, platform = 0, skin = 0;
};

Result<HeatPath> heat_path(const ThermalNetwork& network, const ThermalModel& model,
                           size_t clusters) {
  const auto node_of = [&](const std::string& source) -> Result<size_t> {
    for (const HeatInlet& inlet : network.inlets) {
      if (inlet.source == source) return model.node(inlet.node);
    }
    return bad_input("the thermal network has no inlet for '{}'; add it to 'inlets'", source);
  };
  HeatPath path;
  for (size_t i = 0; i < clusters; ++i) {
    EDGEWRIGHT_ASSIGN(const size_t node, node_of(fmt::format("cluster:{}", i)));
    path.clusters.push_back(node);
  }
  EDGEWRIGHT_ASSIGN(path.memory, node_of("memory"));
  EDGEWRIGHT_ASSIGN(path.platform, node_of("platform"));
  // Boards without a skin are limited by what is next to the die.
  path.skin = path.platform;
  if (!network.skin_node.empty()) {
    EDGEWRIGHT_ASSIGN(path.skin, model.node(network.skin_node));
  }
  return path;
}

class Simulation {
 public:
  Simulation(const Machine& machine, const LanguageLoad& load, const std::vector<Request>& requests,
             Policy& policy, const SimulationOptions& options, ThermalModel model, HeatPath path)
      : machine_(machine),
        load_(load),
        requests_(requests),
        policy_(policy),
        options_(options),
        model_(std::move(model)),
        path_(std::move(path)),
        temperatures_(model_.size(), options.start_c),
        heat_j_(model_.size(), 0),
        power_w_(model_.size(), 0),
        idle_choice_(machine),
        busy_s_(machine.clusters(), 0),
        window_tokens_(static_cast<size_t>(options.horizon_s / kWindowS) + 1, 0),
        loaded_s_(window_tokens_.size(), 0) {
    result_.policy = policy.name();
    result_.energy.clusters_j.assign(machine.clusters(), 0);
    result_.battery_left_j = options.battery_j;
    for (size_t i = 0; i < machine.clusters(); ++i) {
      point_s_.emplace_back(machine.points(i), 0);
    }
  }

  SimulationResult run() {
    const double stored_before_j = model_.stored_j(temperatures_);
    decide();
    while (now_s_ < options_.horizon_s && !finished() && !result_.battery_empty) {
      const double end_s = std::min(now_s_ + options_.control_s, options_.horizon_s);
      const double from_s = now_s_;
      work_left_s_ = duty_ * options_.control_s;
      while (end_s - now_s_ > 1e-12) advance(end_s);
      now_s_ = end_s;
      settle_heat(end_s - from_s);
      decide();
    }
    finish(model_.stored_j(temperatures_) - stored_before_j);
    return std::move(result_);
  }

 private:
  bool finished() const { return next_ == requests_.size() && waiting_.empty() && active_.empty(); }
  double ambient_c() {
    while (ambient_ + 1 < options_.ambient.size() &&
           options_.ambient[ambient_ + 1].from_s <= now_s_) {
      ++ambient_;
    }
    return options_.ambient[ambient_].celsius;
  }
  double cluster_c(size_t cluster) const { return temperatures_[path_.clusters[cluster]]; }
  double die_c() const {
    double hottest = -HUGE_VAL;
    for (const size_t node : path_.clusters) hottest = std::max(hottest, temperatures_[node]);
    return hottest;
  }
  int max_batch() const { return batch_ > 0 ? batch_ : options_.max_batch; }
  int places() const { return max_batch() + (prompt_ahead_ ? 1 : 0); }

  void admit() {
    while (next_ < requests_.size() && requests_[next_].arrival_s <= now_s_ + 1e-12) {
      // Of an endless supply only what can begin soon is looked at.
      const bool endless = requests_[next_].arrival_s == 0;
      if (endless && std::ssize(waiting_) > 4 * max_batch()) break;
      waiting_.push_back(&requests_[next_++]);
    }
    if (active_.empty() && !may_begin()) return;
    size_t begun = 0;
    while (begun < waiting_.size() && std::ssize(active_) < places()) {
      const Request* request = waiting_[begun++];
      active_.push_back({request, static_cast<double>(request->prompt_tokens),
                         static_cast<double>(request->output_tokens), 0});
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(begun));
  }
  bool may_begin() const {
    return !waiting_.empty() &&
           (std::ssize(waiting_) >= max_batch() ||
            now_s_ >= waiting_.front()->arrival_s + options_.batch_wait_s - 1e-12);
  }

  // Until the end of the period, the next arrival, or the end of a prompt or sequence.
  void advance(double end_s) {
    const bool was_idle = active_.empty();
    admit();
    double until_s = end_s;
    if (next_ < requests_.size() && requests_[next_].arrival_s > now_s_) {
      until_s = std::min(until_s, requests_[next_].arrival_s);
    }
    if (active_.empty()) {
      if (!waiting_.empty()) {
        until_s = std::min(until_s, waiting_.front()->arrival_s + options_.batch_wait_s);
      }
      return idle(std::max(until_s, now_s_ + 1e-9) - now_s_);
    }
    if (was_idle) {
      wake();
      decide();
    }
    double limit_s = std::max(until_s - now_s_, 1e-9);
    if (work_left_s_ <= 1e-9) return idle(limit_s);
    wake();
    limit_s = std::min(limit_s, work_left_s_);
    if (waking_s_ > 0) return stall(waking_s_, limit_s, Busy::kWaking);
    if (stall_s_ > 0) return stall(stall_s_, limit_s, Busy::kStalled);
    work(limit_s);
  }

  void work(double limit_s) {
    const auto prompt = std::ranges::find_if(
        active_, [](const Sequence& sequence) { return sequence.prompt_left > 0; });
    // One beyond the batch gives way to decoding, or goes on beside it.
    const bool ahead = prompt - active_.begin() >= max_batch();
    if (prompt == active_.end() || (ahead && chunk_tokens_ <= 0)) return decode(limit_s, nullptr);
    if (chunk_tokens_ > 0 && decoding() > 0) return decode(limit_s, &*prompt);
    prefill(*prompt, limit_s);
  }
  int decoding() const {
    const auto past = std::ranges::count_if(
        active_, [](const Sequence& sequence) { return sequence.prompt_left <= 0; });
    return std::min(static_cast<int>(past), max_batch());
  }
  // Calls visit(sequence) for those that decode: of all past their prompts the oldest.
  template <class Visit>
  void each_decoding(Visit visit) {
    int places = max_batch();
    for (Sequence& sequence : active_) {
      if (sequence.prompt_left > 0 || places == 0) continue;
      visit(sequence);
      --places;
    }
  }

  void prefill(Sequence& sequence, double limit_s) {
    const StepWork step = prompt_work(load_, sequence.request->prompt_tokens);
    const double whole_s = machine_.step_s(step, load_.dtype, setting_) * derating();
    const double left_s = whole_s * sequence.prompt_left / sequence.request->prompt_tokens;
    const double spent_s = std::min(limit_s, left_s);
    const double done =
        spent_s >= left_s ? sequence.prompt_left : sequence.prompt_left * spent_s / left_s;
    busy(spent_s, machine_.moved_bytes(step, setting_) * done / sequence.request->prompt_tokens);
    sequence.prompt_left -= done;
    if (spent_s < left_s) return;
    begin_decoding(sequence);
    retire();
    decide();
  }

  void begin_decoding(Sequence& sequence) {
    // The prompt's last position gives the first token.
    sequence.prompt_left = 0;
    sequence.context = sequence.request->prompt_tokens;
    result_.first_token_s.push_back(now_s_ - sequence.request->arrival_s);
    give_tokens(sequence, 1);
  }

  // Steps of all sequences past their prompts; with a piece of a prompt beside each when there is
  // one, whose weights are then read but once.
  void decode(double limit_s, Sequence* prompt) {
    double context = 0, least = kNever, batch = 0, tokens = 0;
    each_decoding([&](const Sequence& sequence) {
      context += sequence.context;
      least = std::min(least, sequence.output_left);
      ++batch;
    });
    if (prompt != nullptr) {
      tokens = std::min(chunk_tokens_, prompt->prompt_left);
      context += tokens * (prompt->request->prompt_tokens - prompt->prompt_left);
      least = std::min(least, prompt->prompt_left / tokens);
    }
    const StepWork step = step_work(load_, batch + tokens, context / (batch + tokens));
    const double step_s = machine_.step_s(step, load_.dtype, setting_) * derating();
    const double spent_s = std::min(limit_s, least * step_s);
    const double steps = spent_s >= least * step_s ? least : spent_s / step_s;
    busy(spent_s, machine_.moved_bytes(step, setting_) * steps);
    each_decoding([&](Sequence& sequence) { give_tokens(sequence, steps); });
    if (prompt != nullptr) {
      prompt->prompt_left -= tokens * steps;
      if (prompt->prompt_left < 1e-9) begin_decoding(*prompt);
    }
    if (steps >= least) {
      retire();
      decide();
    }
  }

  void give_tokens(Sequence& sequence, double tokens) {
    sequence.output_left -= tokens;
    sequence.context += tokens;
    tokens_ += tokens;
    sample_tokens_ += tokens;
    window_tokens_[window()] += tokens;
  }

  void retire() {
    std::erase_if(active_, [&](const Sequence& sequence) {
      if (sequence.prompt_left > 0 || sequence.output_left > 1e-9) return false;
      result_.latency_s.push_back(now_s_ - sequence.request->arrival_s);
      lengths_.finished(sequence.request->prompt_tokens, sequence.request->output_tokens);
      ++result_.requests;
      return true;
    });
  }

  size_t window() const {
    return std::min(static_cast<size_t>(now_s_ / kWindowS), window_tokens_.size() - 1);
  }

  // Hot gates are slower: 0.1 % a kelvin above 25 C.
  double derating() const { return 1 + 0.001 * std::max(0.0, die_c() - 25); }

  void add_heat(size_t node, double joules) { heat_j_[node] += joules; }

  // Busy cores and moved bytes. Cores that are busy without getting on, since they wake up or a
  // change of the setting has to settle, are on the account of that.
  enum class Busy { kWorking, kWaking, kStalled };
  void stall(double& left_s, double limit_s, Busy kind) {
    const double stalled_s = std::min(left_s, limit_s);
    left_s = left_s - stalled_s < 1e-12 ? 0 : left_s - stalled_s;
    busy(stalled_s, 0, kind);
  }
  double& account_of(Busy kind, size_t cluster) {
    if (kind == Busy::kWaking) return result_.energy.waking_j;
    if (kind == Busy::kStalled) return result_.energy.switching_j;
    return result_.energy.clusters_j[cluster];
  }
  void busy(double seconds, double bytes, Busy kind = Busy::kWorking) {
    const double memory_j = machine_.memory_j(bytes);
    result_.energy.memory_j += memory_j;
    add_heat(path_.memory, memory_j);
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      if (setting_.clusters[i].cores == 0) continue;
      const double joules = machine_.busy_w(i, setting_.clusters[i], cluster_c(i)) * seconds;
      account_of(kind, i) += joules;
      add_heat(path_.clusters[i], joules);
      busy_s_[i] += seconds;
      point_s_[i][setting_.clusters[i].point] += seconds;
    }
    pass(seconds);
    work_left_s_ -= seconds;
  }

  void idle(double seconds) {
    if (!idle_choice_.resting()) {
      // A batch that waits to fill has a timer; the kernel's own housekeeping comes once a second.
      constexpr double kHousekeepingS = 1;
      timer_s_ = waiting_.empty() ? kHousekeepingS
                                  : waiting_.front()->arrival_s + options_.batch_wait_s - now_s_;
      // Rests of a few milliseconds that the engine takes by itself are no occasion to sleep.
      idle_choice_.begin(timer_s_, active_.empty() ? idle_wish_ : IdleChoice::Wish::kShallow);
      rested_s_ = now_s_;
    }
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      if (setting_.clusters[i].cores == 0 || idle_choice_.sleeps(i)) continue;
      const double joules = machine_.waiting_w(i, setting_.clusters[i], cluster_c(i)) * seconds;
      result_.energy.waiting_j += joules;
      add_heat(path_.clusters[i], joules);
    }
    pass(seconds);
  }

  // Falling asleep and waking cost energy at full power, waking costs time as well.
  void wake() {
    if (!idle_choice_.resting()) return;
    const double slept_s = now_s_ - rested_s_;
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      if (setting_.clusters[i].cores == 0 || !idle_choice_.sleeps(i)) continue;
      const double half_s = machine_.sleep_switch_s(i) / 2;
      const double joules = machine_.busy_w(i, setting_.clusters[i], cluster_c(i)) * half_s;
      result_.energy.waking_j += joules;
      add_heat(path_.clusters[i], joules);
      // Voltage and clock settle meanwhile.
      waking_s_ = std::max(waking_s_, half_s - stall_s_);
    }
    idle_choice_.end(slept_s, slept_s >= timer_s_);
  }

  void pass(double seconds) {
    if (!active_.empty()) loaded_s_[window()] += seconds;
    const double joules = machine_.platform_w() * seconds;
    result_.energy.platform_j += joules;
    add_heat(path_.platform, joules);
    now_s_ += seconds;
  }

  void settle_heat(double seconds) {
    double joules = 0;
    for (size_t i = 0; i < heat_j_.size(); ++i) {
      power_w_[i] = heat_j_[i] / seconds;
      joules += heat_j_[i];
      heat_j_[i] = 0;
    }
    model_.step(temperatures_, power_w_, ambient_c(), seconds);
    heat_in_j_ += joules;
    heat_out_j_ += model_.given_off_j();
    sample_j_ += joules;
    result_.peak_die_c = std::max(result_.peak_die_c, die_c());
    result_.peak_skin_c = std::max(result_.peak_skin_c, temperatures_[path_.skin]);
    // Arrhenius, against 55 C: exp(Ea / k (1 / T0 - 1 / T)).
    constexpr double kActivationK = 0.7 / 8.617e-5, kReferenceK = 328.15;
    ageing_s_ += seconds * std::exp(kActivationK * (1 / kReferenceK - 1 / (die_c() + 273.15)));
    derating_s_ += seconds * derating();
    if (options_.battery_j > 0) {
      result_.battery_left_j -= joules;
      result_.battery_empty = result_.battery_left_j <= 0;
    }
    if (now_s_ - sample_s_ >= options_.sample_s - 1e-9) take_sample();
  }

  void take_sample() {
    const double seconds = now_s_ - sample_s_;
    result_.series.push_back({now_s_, sample_tokens_ / seconds, sample_j_ / seconds,
                              temperatures_[path_.skin], die_c(), ambient_c(),
                              active_.empty() ? "idle" : setting_text(machine_, setting_)});
    sample_s_ = now_s_;
    sample_tokens_ = sample_j_ = 0;
  }

  void decide() {
    Observation& seen = observation_;
    seen.now_s = now_s_;
    seen.batch = static_cast<int>(std::min<size_t>(active_.size(), max_batch()));
    seen.ahead_tokens = 0;
    seen.waiting = static_cast<int>(waiting_.size());
    seen.phase = active_.empty() ? Phase::kIdle : Phase::kDecode;
    seen.context = seen.tokens_left = seen.longest_tokens_left = 0;
    seen.decoding = decoding();
    double earliest_s = kNever;
    for (const Sequence& sequence : active_) {
      if (&sequence - active_.data() >= max_batch()) {
        seen.ahead_tokens = sequence.prompt_left;
        break;
      }
      if (sequence.prompt_left > 0 && seen.phase == Phase::kDecode) {
        seen.phase = Phase::kPrefill;
        seen.tokens_left = sequence.request->prompt_tokens;
      }
      seen.context += sequence.context / seen.batch;
      const Request& request = *sequence.request;
      seen.longest_tokens_left = std::max(
          seen.longest_tokens_left,
          lengths_.left(request.prompt_tokens, request.output_tokens - sequence.output_left));
      earliest_s = std::min(earliest_s, sequence.request->arrival_s);
    }
    seen.time_left_s = options_.deadline_s > 0 ? earliest_s + options_.deadline_s - now_s_ : kNever;
    seen.skin_c = temperatures_[path_.skin];
    seen.die_c = die_c();
    seen.temperatures_c = temperatures_;
    seen.cluster_c.clear();
    for (size_t i = 0; i < machine_.clusters(); ++i) seen.cluster_c.push_back(cluster_c(i));
    seen.ambient_c = ambient_c();
    seen.energy_j = heat_in_j_ + std::accumulate(heat_j_.begin(), heat_j_.end(), 0.0);
    seen.tokens = tokens_;
    seen.busy_share.assign(busy_s_.size(), 0);
    const double elapsed_s = now_s_ - decided_s_;
    for (size_t i = 0; elapsed_s > 0 && i < busy_s_.size(); ++i) {
      seen.busy_share[i] = std::min(1.0, busy_s_[i] / elapsed_s);
    }
    std::ranges::fill(busy_s_, 0);
    decided_s_ = now_s_;
    apply(policy_.decide(seen));
  }

  void apply(const Decision& decision) {
    if (!decision.reason.empty() && decision.reason != held_by_) {
      if (result_.throttles.size() < 1000) {
        result_.throttles.push_back({now_s_, std::string(decision.reason)});
      }
    }
    held_by_ = decision.reason;
    duty_ = decision.duty;
    batch_ = decision.batch;
    chunk_tokens_ = decision.chunk_tokens;
    prompt_ahead_ = decision.prompt_ahead;
    idle_wish_ = decision.idle;
    if (decision.setting == setting_) return;
    const bool first = setting_.clusters.empty();
    const double change_s = machine_.change_s(setting_, decision.setting);
    setting_ = decision.setting;
    if (first) return;
    ++result_.setting_changes;
    // While voltage and clock settle and threads move, the cores draw power and do nothing.
    if (!active_.empty()) stall_s_ += change_s;
  }

  void finish(double stored_j) {
    result_.simulated_s = now_s_;
    result_.tokens = std::llround(tokens_);
    std::ranges::sort(result_.latency_s);
    std::ranges::sort(result_.first_token_s);
    double slowest = kNever;
    for (size_t i = 0; i < window_tokens_.size(); ++i) {
      const double rate = window_tokens_[i] / kWindowS;
      result_.burst_tokens_per_s = std::max(result_.burst_tokens_per_s, rate);
      if (loaded_s_[i] > 0.98 * kWindowS) slowest = std::min(slowest, rate);
    }
    result_.sustained_tokens_per_s =
        slowest < kNever ? slowest : (now_s_ > 0 ? tokens_ / now_s_ : 0);
    if (slowest == kNever) {
      result_.warnings.emplace_back(
          "no minute was busy throughout; the sustained rate is the mean");
    }
    result_.energy_balance =
        heat_in_j_ > 0 ? std::fabs(heat_in_j_ - heat_out_j_ - stored_j) / heat_in_j_ : 0;
    result_.ageing_acceleration = now_s_ > 0 ? ageing_s_ / now_s_ : 0;
    result_.timing_derating = now_s_ > 0 ? derating_s_ / now_s_ : 1;
    for (size_t i = 0; i < point_s_.size(); ++i) {
      for (size_t point = 0; point < point_s_[i].size(); ++point) {
        if (point_s_[i][point] <= 0) continue;
        result_.residency.push_back(
            {machine_.name(i), machine_.frequency_khz(i, point), point_s_[i][point] / now_s_});
      }
    }
    if (result_.battery_empty) {
      result_.warnings.push_back(fmt::format("the battery is empty after {:.0f} s", now_s_));
    }
  }

  const Machine& machine_;
  const LanguageLoad& load_;
  const std::vector<Request>& requests_;
  Policy& policy_;
  const SimulationOptions& options_;
  ThermalModel model_;
  HeatPath path_;
  std::vector<double> temperatures_, heat_j_, power_w_;
  Setting setting_;
  std::string_view held_by_;
  Observation observation_;
  std::vector<const Request*> waiting_;
  std::vector<Sequence> active_;
  LengthPredictor lengths_;
  IdleChoice idle_choice_;
  IdleChoice::Wish idle_wish_ = IdleChoice::Wish::kTimerEvents;
  std::vector<double> busy_s_;
  std::vector<std::vector<double>> point_s_;
  std::vector<double> window_tokens_, loaded_s_;  // by minute; loaded: with requests at hand
  size_t next_ = 0, ambient_ = 0;
  int batch_ = 0;
  bool prompt_ahead_ = false;
  double duty_ = 1, work_left_s_ = 0, chunk_tokens_ = 0;
  double waking_s_ = 0;                // still to pass until the cores are awake
  double stall_s_ = 0;                 // ... and a changed setting works
  double rested_s_ = 0, timer_s_ = 0;  // when rest began, and how long it was to last
  double now_s_ = 0, decided_s_ = 0, tokens_ = 0;
  double sample_s_ = 0, sample_tokens_ = 0, sample_j_ = 0;
  double heat_in_j_ = 0, heat_out_j_ = 0, ageing_s_ = 0, derating_s_ = 0;
  SimulationResult result_;
};

}  // namespace

double EnergyByComponent::total_j() const {
  return std::accumulate(clusters_j.begin(), clusters_j.end(), 0.0) + waiting_j + waking_j +
         switching_j + memory_j + platform_j;
}

double percentile_of(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

Result<SimulationResult> simulate(const Device& device, const Machine& machine,
                                  const LanguageLoad& load, const std::vector<Request>& requests,
                                  Policy& policy, const SimulationOptions& options) {
  EDGEWRIGHT_ASSIGN(ThermalModel model, ThermalModel::create(device.thermal_network));
  EDGEWRIGHT_ASSIGN(HeatPath path, heat_path(device.thermal_network, model, machine.clusters()));
  return Simulation(machine, load, requests, policy, options, std::move(model), std::move(path))
      .run();
}

Result<SimulationResult> simulate(const Device& device, const LanguageLoad& load,
                                  const std::vector<Request>& requests, const std::string& policy,
                                  const PhaseAwareOptions& policy_options, double skin_limit_c,
                                  const SimulationOptions& options) {
  EDGEWRIGHT_ASSIGN(const Machine machine, Machine::create(device));
  const PolicyContext context{.machine = &machine,
                              .load = &load,
                              .network = &device.thermal_network,
                              .skin_limit_c = skin_limit_c,
                              .max_batch = options.max_batch};
  EDGEWRIGHT_ASSIGN(const auto chosen, make_policy(policy, context, policy_options));
  return simulate(device, machine, load, requests, *chosen, options);
}

}  // namespace edgewright
