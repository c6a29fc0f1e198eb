#include "split/cut_choice.h"

#include <algorithm>
#include <utility>

namespace edgewright {

double exchange_us(const ReadyCut& cut, const LinkEstimate& link) {
  if (cut.is_local) return 0;
  return link.round_trip_us + 8 * cut.sent_bytes / link.uplink_mbit_s +
         8 * cut.result_bytes / link.downlink_mbit_s + cut.server_us * link.server_slowdown;
}

double latency_us(const ReadyCut& cut, const LinkEstimate& link) {
  return cut.device_us + exchange_us(cut, link);
}

double bottleneck_us(const ReadyCut& cut, const LinkEstimate& link) {
  if (cut.is_local) return cut.device_us;
  return std::max({cut.device_us, 8 * cut.sent_bytes / link.uplink_mbit_s,
                   8 * cut.result_bytes / link.downlink_mbit_s,
                   cut.server_us * link.server_slowdown});
}

double goal_us(CutGoal goal, const ReadyCut& cut, const LinkEstimate& link) {
  if (goal == CutGoal::kLatency) return latency_us(cut, link);
  return bottleneck_us(cut, link) + latency_us(cut, link) / 1000;
}

size_t best_cut(std::span<const ReadyCut> cuts, const LinkEstimate& link, CutGoal goal) {
  size_t best = 0;
  for (size_t i = 1; i < cuts.size(); ++i) {
    if (goal_us(goal, cuts[i], link) < goal_us(goal, cuts[best], link)) best = i;
  }
  return best;
}

CutChoice::CutChoice(std::vector<ReadyCut> cuts, const LinkEstimate& link, double hysteresis,
                     std::optional<size_t> fixed, CutGoal goal)
    : cuts_(std::move(cuts)),
      link_(link),
      hysteresis_(hysteresis),
      goal_(goal),
      is_fixed_(fixed.has_value()),
      current_(fixed.value_or(best_cut(cuts_, link, goal))) {}

bool CutChoice::update(const LinkEstimate& link) {
  link_ = link;
  if (is_fixed_) return false;
  const size_t best = best_cut(cuts_, link, goal_);
  const double kept_us = goal_us(goal_, cuts_[current_], link);
  if (goal_us(goal_, cuts_[best], link) >= (1 - hysteresis_) * kept_us) return false;
  current_ = best;
  return true;
}

}  // namespace edgewright
