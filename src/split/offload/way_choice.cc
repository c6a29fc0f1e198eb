#include "split/offload/way_choice.h"

#include <algorithm>

namespace edgewright {
namespace {

// Features near one condition least squares well.
constexpr double kUnitUs = 1e5;

}  // namespace

// Energy, price and the device's time; latency comes on top.
OffloadOutcome WayChoice::known(const ReadyCut& cut, const LinkEstimate& link) const {
  OffloadOutcome outcome;
  outcome.device_ms = cut.device_us / 1e3;
  outcome.energy_mj = outcome.device_ms * costs_.device_power_mw / 1e3;
  if (cut.is_local) return outcome;
  const double radio_ms = 8 * cut.sent_bytes / link.uplink_mbit_s / 1e3;
  outcome.energy_mj += radio_ms * costs_.radio_power_mw / 1e3;
  outcome.price = cut.sent_bytes * costs_.price_per_byte +
                  cut.server_us * link.server_slowdown * costs_.price_per_server_us;
  return outcome;
}

WayChoice::Choice WayChoice::choose(std::span<const ReadyCut> cuts, const LinkEstimate& link) {
  Choice choice;
  for (const ReadyCut& cut : cuts) {
    OffloadOutcome outcome = known(cut, link);
    outcome.latency_ms = cut.device_us / 1e3;
    choice.context.known_cost.push_back(weighted_cost(costs_.weights, outcome));
    const double expected = exchange_us(cut, link) / kUnitUs;
    choice.context.features.push_back(cut.is_local
                                          ? std::vector<double>(kFeatures, 0)
                                          : std::vector<double>{1, expected, expected * ratio_});
  }
  choice.way = policy_->choose(choice.context);
  return choice;
}

void WayChoice::learn(const Choice& choice, std::span<const ReadyCut> cuts,
                      const LinkEstimate& link, double latency_us, std::optional<double> found_us) {
  const ReadyCut& cut = cuts[choice.way];
  OffloadOutcome outcome = known(cut, link);
  outcome.latency_ms = latency_us / 1e3;
  const double cost = weighted_cost(costs_.weights, outcome);
  policy_->learn(choice.context, choice.way, cost);
  total_cost_ += cost;
  learned_ += 1;
  if (!found_us || cut.is_local) return;
  constexpr double kNewest = 0.3, kLeast = 0.1, kMost = 10;
  const double ratio = std::clamp(*found_us / exchange_us(cut, link), kLeast, kMost);
  ratio_ += kNewest * (ratio - ratio_);
}

}  // namespace edgewright
