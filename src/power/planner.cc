#include "power/planner.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace edgewright {
namespace {

constexpr double kTypicalDieC = 50;
constexpr double kDuties[] = {1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1};

class Planner {
 public:
  Planner(const Device& device, const Machine& machine, ThermalModel model, const PlanLoad& load)
      : device_(device), machine_(machine), model_(std::move(model)), load_(load) {}

  // Every combination of a point of the prefill front that is just quick enough and of the decode
  // front.
  void examine(const LanguageLoad& language, int batch, double slack) {
    const StepWork prompt = prompt_work(language, load_.prompt_tokens);
    const StepWork token =
        step_work(language, batch, load_.prompt_tokens + load_.output_tokens / 2);
    const auto prefill = pareto_front(machine_, prompt, language.dtype, kTypicalDieC);
    const auto decode = pareto_front(machine_, token, language.dtype, kTypicalDieC);
    quickest_first_token_s_ = std::min(quickest_first_token_s_, prefill.front().step_s);
    quickest_token_s_ = std::min(quickest_token_s_, decode.front().step_s);
    // Prompts cost little beside the tokens that follow: three speeds of them are enough.
    for (const double factor : {1.0, slack, 2.0, 4.0}) {
      const FrontChoice& first = cheapest_within(prefill, prefill.front().step_s * factor);
      for (const FrontChoice& choice : decode) add(language, batch, first, choice);
    }
  }

  double quickest_token_s() const { return quickest_token_s_; }
  double quickest_first_token_s() const { return quickest_first_token_s_; }
  const std::vector<OperatingPlan>& plans() const { return plans_; }

  // The longest duty at which the settled temperatures and the battery keep the limits.
  std::optional<OperatingPlan> within(OperatingPlan plan, const PlanLimits& limits) const {
    if (plan.token_s > limits.token_s * (1 + 1e-9) ||
        plan.first_token_s > limits.first_token_s * (1 + 1e-9)) {
      return std::nullopt;
    }
    const double busy_w = plan.power_w;
    for (const double duty : kDuties) {
      plan.duty = duty;
      plan.power_w = duty * busy_w + (1 - duty) * machine_.platform_w();
      if (!settle(plan)) continue;
      plan.battery_hours = device_.battery_mwh > 0 ? device_.battery_mwh * 1e-3 / plan.power_w : 0;
      const bool cool = limits.skin_c <= 0 || plan.skin_c <= limits.skin_c;
      const bool lasting = limits.battery_hours <= 0 || device_.battery_mwh <= 0 ||
                           plan.battery_hours >= limits.battery_hours;
      if (!cool || !lasting) continue;
      // While it rests the platform goes on drawing power, which the tokens have to bear.
      const double rest_s = busy_s_per_token(plan) * (1 - duty) / duty;
      plan.energy_j_per_token += rest_s * machine_.platform_w();
      plan.sustained_tokens_per_s = duty / busy_s_per_token(plan);
      return plan;
    }
    return std::nullopt;
  }

 private:
  double busy_s_per_token(const OperatingPlan& plan) const {
    return plan.first_token_s / load_.output_tokens + plan.token_s / plan.batch;
  }

  void add(const LanguageLoad& language, int batch, const FrontChoice& prefill,
           const FrontChoice& decode) {
    OperatingPlan plan{.precision = language.precision,
                       .batch = batch,
                       .prefill = prefill.setting,
                       .decode = decode.setting,
                       .token_s = decode.step_s,
                       .first_token_s = prefill.step_s};
    plan.energy_j_per_token =
        prefill.energy_j / load_.output_tokens + decode.energy_j / static_cast<double>(batch);
    plan.power_w = plan.energy_j_per_token / busy_s_per_token(plan);
    plans_.push_back(std::move(plan));
  }

  // Temperatures under the plan's average power; false on thermal runaway. Leakage of the cores at
  // work is made of the difference to its power at the temperature of the fronts.
  bool settle(OperatingPlan& plan) const {
    std::vector<double> power(model_.size(), 0);
    size_t die = 0, platform = 0, skin = 0;
    for (const HeatInlet& inlet : device_.thermal_network.inlets) {
      const auto node = model_.node(inlet.node);
      if (inlet.source == "cluster:0") die = *node;
      if (inlet.source == "platform") platform = *node;
    }
    skin = platform;
    if (!device_.thermal_network.skin_node.empty()) {
      skin = *model_.node(device_.thermal_network.skin_node);
    }
    power[platform] = machine_.platform_w();
    power[die] = plan.power_w - machine_.platform_w();
    const auto settled = model_.steady_state_with_feedback(
        power, load_.ambient_c,
        [&](const std::vector<double>& temperatures, std::vector<double>& total) {
          for (size_t i = 0; i < machine_.clusters(); ++i) {
            if (plan.decode.clusters[i].cores == 0) continue;
            total[die] +=
                plan.duty * (machine_.busy_w(i, plan.decode.clusters[i], temperatures[die]) -
                             machine_.busy_w(i, plan.decode.clusters[i], kTypicalDieC));
          }
        });
    if (!settled.ok()) return false;
    plan.die_c = (*settled)[die];
    plan.skin_c = (*settled)[skin];
    return true;
  }

  const Device& device_;
  const Machine& machine_;
  ThermalModel model_;
  const PlanLoad& load_;
  std::vector<OperatingPlan> plans_;
  double quickest_token_s_ = HUGE_VAL, quickest_first_token_s_ = HUGE_VAL;
};

std::optional<OperatingPlan> best_of(const Planner& planner, const PlanLimits& limits,
                                     std::vector<OperatingPlan>* kept = nullptr) {
  std::optional<OperatingPlan> best;
  for (const OperatingPlan& plan : planner.plans()) {
    // Only what could be better is settled; a duty below one never makes a token cheaper.
    if (kept == nullptr && best && plan.energy_j_per_token >= best->energy_j_per_token) continue;
    const auto fitting = planner.within(plan, limits);
    if (!fitting) continue;
    if (!best || fitting->energy_j_per_token < best->energy_j_per_token) best = fitting;
    if (kept != nullptr) kept->push_back(*fitting);
  }
  return best;
}

std::vector<OperatingPlan> front_of(std::vector<OperatingPlan> plans) {
  std::ranges::sort(plans, [](const OperatingPlan& x, const OperatingPlan& y) {
    return x.token_s != y.token_s ? x.token_s < y.token_s
                                  : x.energy_j_per_token < y.energy_j_per_token;
  });
  std::vector<OperatingPlan> front;
  for (OperatingPlan& plan : plans) {
    if (front.empty() || plan.energy_j_per_token < front.back().energy_j_per_token) {
      front.push_back(std::move(plan));
    }
  }
  return front;
}

struct Constraint {
  const char* name;
  double PlanLimits::* limit;
  double off;
};
constexpr Constraint kConstraints[] = {{"token latency", &PlanLimits::token_s, 1e9},
                                       {"first-token latency", &PlanLimits::first_token_s, 1e9},
                                       {"skin temperature", &PlanLimits::skin_c, 0},
                                       {"battery life", &PlanLimits::battery_hours, 0}};

}  // namespace

Result<PlanResult> make_plan(const Device& device, const std::vector<LanguageLoad>& loads,
                             const std::vector<int>& batches, const PlanLoad& load,
                             const PlanLimits& wanted) {
  EDGEWRIGHT_ASSIGN(const Machine machine, Machine::create(device));
  EDGEWRIGHT_ASSIGN(ThermalModel model, ThermalModel::create(device.thermal_network));
  for (const HeatInlet& inlet : device.thermal_network.inlets)
    EDGEWRIGHT_TRY(model.node(inlet.node));
  Planner planner(device, machine, std::move(model), load);
  for (const LanguageLoad& language : loads) {
    for (const int batch : batches) planner.examine(language, batch, wanted.slack);
  }
  PlanLimits limits = wanted;
  if (limits.token_s <= 0) limits.token_s = planner.quickest_token_s() * wanted.slack;
  if (limits.first_token_s <= 0) {
    limits.first_token_s = planner.quickest_first_token_s() * wanted.slack;
  }
  PlanResult result;
  result.examined = std::ssize(planner.plans());
  std::vector<OperatingPlan> kept;
  const auto best = best_of(planner, limits, &kept);
  for (const Constraint& constraint : kConstraints) {
    PlanLimits without = limits;
    if (without.*constraint.limit == constraint.off) continue;
    without.*constraint.limit = constraint.off;
    const auto freed = best_of(planner, without);
    if (!best && freed) {
      return check_failed(
          "no plan keeps the limit on {} with the others; without it a token costs "
          "{:.3g} mJ and takes {:.3g} ms",
          constraint.name, freed->energy_j_per_token * 1e3, freed->token_s * 1e3);
    }
    if (!freed) continue;
    result.costs.push_back(
        {constraint.name, best && freed->energy_j_per_token < best->energy_j_per_token * (1 - 1e-9),
         freed->energy_j_per_token});
  }
  if (!best)
    return check_failed("no plan keeps the limits on '{}'; loosen two of them", device.name);
  result.choice = *best;
  result.front = front_of(std::move(kept));
  return result;
}

}  // namespace edgewright
