#include "split/choose.h"

#include <algorithm>
#include <limits>
#include <set>

namespace edgewright {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A limit as a table row: its bound, what a placement takes of it, its name and unit.
struct Limit {
  const char* name;
  const char* unit;
  double unit_size;
  std::optional<double> SplitLimits::* bound;
  double (*use)(const SplitCost& cost);
  // Adds a price for the use to the times of a problem.
  void (*charge)(SplitProblem& problem, double us_per_use);
};

double server_us(const SplitCost& cost) {
  double sum = 0;
  for (size_t tier = 1; tier < cost.tier_us.size(); ++tier) sum += cost.tier_us[tier];
  return sum;
}
double first_hop_bytes(const SplitCost& cost) {
  return cost.sent_bytes.empty() ? 0 : cost.sent_bytes[0];
}

void charge_weights(SplitProblem& problem, double price) {
  for (SplitLayer& layer : problem.layers) layer.time_us[0] += price * layer.weight_bytes;
}
void charge_energy(SplitProblem& problem, double price) {
  for (SplitLayer& layer : problem.layers) layer.time_us[0] += price * layer.energy_mj;
  if (problem.hops.empty()) return;
  problem.hops[0].us_per_byte += price * problem.hops[0].mj_per_byte;
}
void charge_server(SplitProblem& problem, double price) {
  for (SplitLayer& layer : problem.layers) {
    for (size_t tier = 1; tier < layer.time_us.size(); ++tier) layer.time_us[tier] *= 1 + price;
  }
}
void charge_bytes(SplitProblem& problem, double price) {
  if (!problem.hops.empty()) problem.hops[0].us_per_byte += price;
}
void charge_price(SplitProblem& problem, double price) {
  for (SplitLayer& layer : problem.layers) {
    for (size_t tier = 1; tier < layer.time_us.size(); ++tier) {
      layer.time_us[tier] *= 1 + price * problem.server_price_per_us;
    }
  }
  for (SplitHop& hop : problem.hops) hop.us_per_byte += price * hop.price_per_byte;
}
void charge_nothing(SplitProblem&, double) {}

constexpr Limit kLimits[] = {
    {"device weights", "MB", 1e6, &SplitLimits::device_weight_bytes,
     [](const SplitCost& cost) { return cost.device_weight_bytes; }, charge_weights},
    {"device energy", "mJ", 1, &SplitLimits::device_energy_mj,
     [](const SplitCost& cost) { return cost.device_energy_mj; }, charge_energy},
    {"server time", "ms", 1e3, &SplitLimits::server_us, server_us, charge_server},
    {"bytes sent", "MB", 1e6, &SplitLimits::sent_bytes, first_hop_bytes, charge_bytes},
    {"price", "units of money", 1, &SplitLimits::price,
     [](const SplitCost& cost) { return cost.price; }, charge_price},
    // The objective itself: nothing to weigh against it.
    {"latency", "ms", 1e3, &SplitLimits::latency_us,
     [](const SplitCost& cost) { return cost.latency_us; }, charge_nothing},
};

class Chooser {
 public:
  Chooser(const SplitProblem& problem, const SplitGoal& goal) : problem_(problem), goal_(goal) {}

  Result<SplitChoice> choose() {
    EDGEWRIGHT_ASSIGN(const Placement least, minimum_cut(problem_));
    choice_.lower_bound_us = add(least).cost.latency_us;
    if (goal_.objective == SplitObjective::kThroughput) {
      add(best_linear_placement(problem_, SplitObjective::kThroughput));
      EDGEWRIGHT_TRY(weigh_tiers());
    }
    choice_.is_exact = goal_.objective == SplitObjective::kLatency;
    if (!best_index_is_feasible()) {
      choice_.is_exact = false;
      add_linear_cuts();
      EDGEWRIGHT_TRY(search_lagrangian());
    }
    // A copy: the list of candidates grows.
    const Placement best = candidates_[best_index()].placement;
    EDGEWRIGHT_TRY(add_neighbours(best));
    if (has_limits()) add_linear_cuts();
    // Without a placement that keeps the limits there is nothing to bound.
    if (!best_index_is_feasible()) choice_.lower_bound_us = candidates_[0].cost.latency_us;
    finish();
    return std::move(choice_);
  }

 private:
  const SplitCandidate& add(const Placement& placement) {
    if (!known_.insert(placement).second) {
      return *std::ranges::find(candidates_, placement, &SplitCandidate::placement);
    }
    SplitCandidate candidate{
        placement, cut_name(problem_, placement), cost_of(problem_, placement), {}};
    for (const Limit& limit : kLimits) {
      const auto& bound = goal_.limits.*limit.bound;
      const double use = limit.use(candidate.cost);
      if (!bound || use <= *bound) continue;
      candidate.broken_limits.push_back(fmt::format("{} {:.4g} {}, at most {:.4g}", limit.name,
                                                    use / limit.unit_size, limit.unit,
                                                    *bound / limit.unit_size));
    }
    candidates_.push_back(std::move(candidate));
    return candidates_.back();
  }

  bool has_limits() const {
    return std::ranges::any_of(
        kLimits, [&](const Limit& limit) { return (goal_.limits.*limit.bound).has_value(); });
  }
  // By how many times its limits a candidate exceeds them, the excesses added up.
  double excess(const SplitCandidate& candidate) const {
    double sum = 0;
    for (const Limit& limit : kLimits) {
      const auto& bound = goal_.limits.*limit.bound;
      if (!bound) continue;
      const double over = limit.use(candidate.cost) - *bound;
      if (over > 0) sum += over / std::max(*bound, 1e-12);
    }
    return sum;
  }
  // What makes one candidate better than another: limits first.
  bool is_better(const SplitCandidate& a, const SplitCandidate& b) const {
    const double excess_a = excess(a), excess_b = excess(b);
    if (excess_a != excess_b) return excess_a < excess_b;
    return objective_us(goal_.objective, a.cost) < objective_us(goal_.objective, b.cost);
  }
  size_t best_index() const {
    size_t best = 0;
    for (size_t i = 1; i < candidates_.size(); ++i) {
      if (is_better(candidates_[i], candidates_[best])) best = i;
    }
    return best;
  }
  bool best_index_is_feasible() const { return candidates_[best_index()].broken_limits.empty(); }

  void add_linear_cuts() {
    // A cut anywhere in a graph of thousands of layers is hardly ever the answer; every cut of a
    // few hundred is looked at.
    constexpr size_t kMostCuts = 512;
    const size_t layers = problem_.layers.size();
    const size_t stride = std::max<size_t>(1, layers / kMostCuts);
    for (size_t end = 1; end <= layers; end += stride) {
      std::vector<size_t> ends(problem_.hops.size(), layers);
      if (!ends.empty()) ends[0] = end;
      add(linear_placement(layers, ends));
    }
    add(Placement(layers, 0));
  }

  // Minimum cuts when the time of one tier or hop counts for more or less than the others'.
  Status weigh_tiers() {
    constexpr double kWeights[] = {0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.5, 2, 3, 5, 10, 20};
    for (size_t tier = 0; tier < problem_.tiers(); ++tier) {
      for (const double weight : kWeights) {
        SplitProblem weighted = problem_;
        for (SplitLayer& layer : weighted.layers) layer.time_us[tier] *= weight;
        EDGEWRIGHT_ASSIGN(const Placement placement, minimum_cut(weighted));
        add(placement);
      }
    }
    return {};
  }

  // Raises the price of whatever exceeds its limit until nothing does, then bisects. Every price
  // gives a bound: the priced minimum less the price of the limits themselves.
  Status search_lagrangian() {
    constexpr int kDoublings = 20, kBisections = 20;
    double low = 0, high = 1e-3 * candidates_[0].cost.latency_us;
    for (int step = 0; step < kDoublings; ++step) {
      EDGEWRIGHT_ASSIGN(const bool feasible, try_price(high));
      if (feasible) break;
      low = high;
      high *= 4;
    }
    for (int step = 0; step < kBisections; ++step) {
      const double price = 0.5 * (low + high);
      EDGEWRIGHT_ASSIGN(const bool feasible, try_price(price));
      (feasible ? high : low) = price;
    }
    return {};
  }
  Result<bool> try_price(double price) {
    SplitProblem priced = problem_;
    double limits_us = 0;
    for (const Limit& limit : kLimits) {
      const auto& bound = goal_.limits.*limit.bound;
      // Charging nothing adds no bound either.
      if (!bound || limit.charge == charge_nothing) continue;
      const double price_per_use = price / std::max(*bound, 1e-12);
      limit.charge(priced, price_per_use);
      limits_us += price_per_use * *bound;
    }
    EDGEWRIGHT_ASSIGN(const Placement placement, minimum_cut(priced));
    const double bound_us = cost_of(priced, placement).latency_us - limits_us;
    choice_.lower_bound_us = std::max(choice_.lower_bound_us, bound_us);
    return add(placement).broken_limits.empty();
  }

  // The best placements in which a layer beside the cut has changed sides, or a tensor is no longer
  // sent. Whatever sends other tensors has done one of these, so the second best is among them,
  // unless one of them is reached more cheaply without changing what is sent.
  Status add_neighbours(const Placement& placement) {
    constexpr size_t kMostNeighbours = 64;
    size_t tried = 0;
    for (const size_t layer : layers_beside_cut(placement)) {
      if (++tried > kMostNeighbours) break;
      const size_t tier = placement[layer];
      if (tier > 0) EDGEWRIGHT_TRY(add_pinned({{layer, {0, tier - 1}}}));
      if (tier + 1 < problem_.tiers()) {
        EDGEWRIGHT_TRY(add_pinned({{layer, {tier + 1, problem_.tiers() - 1}}}));
      }
    }
    for (const SplitTensor& tensor : problem_.tensors) {
      TierRanges consumers;
      const size_t tier = placement[tensor.producer];
      for (const size_t consumer : tensor.consumers) {
        if (placement[consumer] > tier) consumers.push_back({consumer, {0, tier}});
      }
      if (consumers.size() < 2 || ++tried > kMostNeighbours) continue;
      EDGEWRIGHT_TRY(add_pinned(consumers));
    }
    return {};
  }
  Status add_pinned(const TierRanges& ranges) {
    auto pinned = minimum_cut(problem_, ranges);
    if (pinned.ok()) {
      add(*pinned);
    } else if (pinned.error().kind != ErrorKind::kCheckFailed) {
      return std::move(pinned).error();
    }
    return {};
  }
  std::set<size_t> layers_beside_cut(const Placement& placement) const {
    std::set<size_t> beside;
    std::vector<bool> has_consumer(placement.size(), false), has_producer(placement.size(), false);
    for (const SplitTensor& tensor : problem_.tensors) {
      for (const size_t consumer : tensor.consumers) {
        has_consumer[tensor.producer] = has_producer[consumer] = true;
        if (placement[consumer] == placement[tensor.producer]) continue;
        beside.insert(tensor.producer);
        beside.insert(consumer);
      }
    }
    // Where a path begins or ends, nothing further along it could be beside the cut.
    for (size_t layer = 1; layer < placement.size(); ++layer) {
      if (!has_consumer[layer] || !has_producer[layer]) beside.insert(layer);
    }
    beside.erase(0);
    return beside;
  }

  void finish() {
    const size_t best = best_index();
    choice_.best = candidates_[best];
    const SplitCandidate* second = nullptr;
    for (const SplitCandidate& candidate : candidates_) {
      if (candidate.cost.sent_tensors == choice_.best.cost.sent_tensors) continue;
      if (second == nullptr || is_better(candidate, *second)) second = &candidate;
    }
    if (second != nullptr) choice_.runner_up = *second;
  }

  const SplitProblem& problem_;
  const SplitGoal& goal_;
  std::vector<SplitCandidate> candidates_;
  std::set<Placement> known_;
  SplitChoice choice_;
};

}  // namespace

double objective_us(SplitObjective objective, const SplitCost& cost) {
  return objective == SplitObjective::kLatency ? cost.latency_us : cost.bottleneck_us;
}

Result<SplitChoice> choose_split(const SplitProblem& problem, const SplitGoal& goal) {
  const auto broken = violations(problem);
  if (!broken.empty()) return bad_input("this cannot be planned: {}", fmt::join(broken, "; "));
  return Chooser(problem, goal).choose();
}

}  // namespace edgewright
