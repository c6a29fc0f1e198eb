#include <algorithm>
#include <cmath>

#include "device/link.h"
#include "edgewright/split.h"

namespace edgewright {
namespace {

constexpr int kSamples = 20000;

double percentile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

LinkDelayReport delay_report(const LinkDelay& delay, double size_bytes, double energy_mj) {
  LinkDelayReport report;
  report.size_bytes = size_bytes;
  report.propagation_ms = delay.propagation_ms;
  report.access_ms = delay.access_ms;
  report.transmission_ms = delay.transmission_ms;
  report.queueing_ms = delay.queueing_ms;
  report.processing_ms = delay.processing_ms;
  report.total_ms = delay.total_ms();
  report.energy_mj = energy_mj;
  return report;
}

void add_percentiles(LinkDelayReport& report, std::vector<double> times_ms) {
  std::ranges::sort(times_ms);
  report.p50_ms = percentile(times_ms, 0.5);
  report.p90_ms = percentile(times_ms, 0.9);
  report.p99_ms = percentile(times_ms, 0.99);
}

}  // namespace

Result<LinkReport> show_link(const std::string& name_or_path, double size_bytes, uint64_t seed) {
  if (!(size_bytes >= 0 && size_bytes <= 1e15)) {
    return usage_error("found --bytes {}, expected 0 to 1e15", size_bytes);
  }
  EDGEWRIGHT_ASSIGN(const Link link, load_link(name_or_path));
  LinkReport report{link.name, link.summary, link.source, link.notes};
  report.uplink_mbit_s = link.uplink.effective_mbit_s();
  report.downlink_mbit_s = link.downlink.effective_mbit_s();
  report.round_trip_ms = round_trip_ms(link);
  report.uplink_factors = {{"theoretical_mbit_s", link.uplink.theoretical_mbit_s},
                           {"protocol", link.uplink.protocol},
                           {"congestion", link.uplink.congestion},
                           {"signal", link.uplink.signal},
                           {"guaranteed_mbit_s", link.uplink.guaranteed_mbit_s}};
  report.send =
      delay_report(uplink_delay(link, size_bytes), size_bytes, send_energy_mj(link, size_bytes));
  report.receive = delay_report(downlink_delay(link, size_bytes), size_bytes,
                                receive_energy_mj(link, size_bytes));
  std::mt19937_64 random(seed);
  std::vector<double> send_ms, receive_ms;
  for (int i = 0; i < kSamples; ++i) {
    const LinkState state = sample_state(link, random);
    send_ms.push_back(state.round_trip_ms / 2 + size_bytes * 8e-3 / state.uplink_mbit_s);
    receive_ms.push_back(state.round_trip_ms / 2 + size_bytes * 8e-3 / state.downlink_mbit_s);
  }
  add_percentiles(report.send, std::move(send_ms));
  add_percentiles(report.receive, std::move(receive_ms));
  report.toml = link_to_toml(link);
  return report;
}

}  // namespace edgewright
