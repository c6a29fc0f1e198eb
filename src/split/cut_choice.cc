#include "split/cut_choice.h"

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

size_t best_cut(std::span<const ReadyCut> cuts, const LinkEstimate& link) {
  size_t best = 0;
  for (size_t i = 1; i < cuts.size(); ++i) {
    if (latency_us(cuts[i], link) < latency_us(cuts[best], link)) best = i;
  }
  return best;
}

CutChoice::CutChoice(std::vector<ReadyCut> cuts, const LinkEstimate& link, double hysteresis,
                     std::optional<size_t> fixed)
    : cuts_(std::move(cuts)),
      link_(link),
      hysteresis_(hysteresis),
      is_fixed_(fixed.has_value()),
      current_(fixed.value_or(best_cut(cuts_, link))) {}

bool CutChoice::update(const LinkEstimate& link) {
  link_ = link;
  if (is_fixed_) return false;
  const size_t best = best_cut(cuts_, link);
  const double kept_us = latency_us(cuts_[current_], link);
  if (latency_us(cuts_[best], link) >= (1 - hysteresis_) * kept_us) return false;
  current_ = best;
  return true;
}

}  // namespace edgewright
