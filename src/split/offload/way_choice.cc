#include "split/offload/way_choice.h"

#include <algorithm>
#include <numeric>

namespace edgewright {
namespace {

// Features near one condition least squares well.
constexpr double kUnitUs = 1e5;

// The action of a race, by the number of its cut: they come after all cuts.
size_t race_action(std::span<const ReadyCut> cuts, size_t cut) {
  const auto before = cuts.first(cut);
  return cuts.size() + static_cast<size_t>(std::ranges::count(before, false, &ReadyCut::is_local));
}

}  // namespace

size_t WayChoice::count(std::span<const ReadyCut> cuts, bool can_race) {
  return can_race ? race_action(cuts, cuts.size()) : cuts.size();
}

// Energy, price and the device's time; latency comes on top. In a race the device does it all.
OffloadOutcome WayChoice::known(const ReadyCut& cut, const LinkEstimate& link,
                                bool is_raced) const {
  OffloadOutcome outcome;
  outcome.device_ms = (cut.device_us + (is_raced ? cut.rest_us : 0)) / 1e3;
  outcome.energy_mj = outcome.device_ms * costs_.device_power_mw / 1e3;
  if (cut.is_local) return outcome;
  const double radio_ms = 8 * cut.sent_bytes / link.uplink_mbit_s / 1e3;
  outcome.energy_mj += radio_ms * costs_.radio_power_mw / 1e3;
  outcome.price = cut.sent_bytes * costs_.price_per_byte +
                  cut.server_us * link.server_slowdown * costs_.price_per_server_us;
  return outcome;
}

double WayChoice::cost(const ReadyCut& cut, const LinkEstimate& link, bool is_raced,
                       double latency_us) const {
  OffloadOutcome outcome = known(cut, link, is_raced);
  outcome.latency_ms = latency_us / 1e3;
  return weighted_cost(costs_.weights, outcome);
}

void WayChoice::add_way(const ReadyCut& cut, const LinkEstimate& link, bool is_raced,
                        OffloadContext& context) const {
  context.known_cost.push_back(cost(cut, link, is_raced, cut.device_us));
  if (cut.is_local) {
    context.features.emplace_back(kFeatures, 0);
    return;
  }
  const double expected_us = exchange_us(cut, link), corrected_us = expected_us * ratio_;
  const double most_us = is_raced ? cut.rest_us : std::max(expected_us, corrected_us);
  context.features.push_back(
      {1, std::min(expected_us, most_us) / kUnitUs, std::min(corrected_us, most_us) / kUnitUs});
}

WayChoice::Choice WayChoice::choose(std::span<const ReadyCut> cuts, const LinkEstimate& link) {
  Choice choice;
  std::vector<size_t> cut_of(cuts.size());
  std::iota(cut_of.begin(), cut_of.end(), 0);
  for (const ReadyCut& cut : cuts) add_way(cut, link, false, choice.context);
  for (size_t i = 0; can_race_ && i < cuts.size(); ++i) {
    if (cuts[i].is_local) continue;
    add_way(cuts[i], link, true, choice.context);
    cut_of.push_back(i);
  }
  choice.action = policy_->choose(choice.context);
  choice.way = cut_of[choice.action];
  choice.is_raced = choice.action >= cuts.size();
  return choice;
}

void WayChoice::learn(const Choice& choice, std::span<const ReadyCut> cuts,
                      const LinkEstimate& link, double latency_us, std::optional<double> found_us) {
  const ReadyCut& cut = cuts[choice.way];
  const double found_cost = cost(cut, link, choice.is_raced, latency_us);
  policy_->learn(choice.context, choice.action, found_cost);
  total_cost_ += found_cost;
  learned_ += 1;
  if (cut.is_local) return;
  if (can_race_ && !choice.is_raced) {
    // A race would have ended at the latest when the device had done the rest.
    const double raced_us = std::min(latency_us, cut.device_us + cut.rest_us);
    policy_->observe(choice.context, race_action(cuts, choice.way),
                     cost(cut, link, true, raced_us));
  }
  if (!found_us) return;
  constexpr double kNewest = 0.3, kLeast = 0.1, kMost = 10;
  const double ratio = std::clamp(*found_us / exchange_us(cut, link), kLeast, kMost);
  ratio_ += kNewest * (ratio - ratio_);
}

void WayChoice::learn_unraced(const Choice& choice, std::span<const ReadyCut> cuts,
                              const LinkEstimate& link, double latency_us) {
  policy_->observe(choice.context, choice.way, cost(cuts[choice.way], link, false, latency_us));
}

}  // namespace edgewright
