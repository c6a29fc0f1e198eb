#include "serve/link_probe.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace edgewright {
namespace {

constexpr size_t kSmallBytes = 64;
constexpr size_t kFirstLargeBytes = 16384;
// Ten times what timers and schedulers of a busy host are off by.
constexpr double kEnoughUs = 30000;

double deviation_share(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double square = 0;
  for (const double value : values) square += (value - mean) * (value - mean);
  return mean > 0 && count > 1 ? std::sqrt(square / (count - 1)) / mean : 0;
}

// Times of small exchanges as a line of its own: of no bytes and one.
Interval median_interval(const std::vector<double>& values, uint64_t seed) {
  const auto fit = fit_link({0, 1, values, values}, seed);
  EDGEWRIGHT_CHECK(fit.ok());
  return fit->fixed_us;
}

}  // namespace

LinkProbe::LinkProbe(InferenceClient& client, Clock::time_point deadline) : client_(client) {
  has_echo_ = client.model(std::string(kEchoModel), "", deadline).ok();
}

Result<double> LinkProbe::exchange_us(size_t bytes, bool is_echoed, Clock::time_point deadline) {
  oip::InferRequest request;
  request.model = has_echo_ ? kEchoModel : "edgewright-link-probe";
  EDGEWRIGHT_ASSIGN(Tensor data, Tensor::allocate(DType::kUint8, {static_cast<int64_t>(bytes)}));
  request.inputs.push_back({"input", std::move(data), {}, true});
  request.outputs.push_back({is_echoed ? "data" : "size", true});
  const RemoteAnswer answer = client_.infer(request, deadline);
  const bool is_expected = has_echo_ ? answer.ok() : answer.outcome == RemoteOutcome::kRefused;
  if (!is_expected) return check_failed("{}", answer.message);
  return answer.elapsed_us;
}

Result<std::vector<double>> LinkProbe::times_us(size_t repeats, size_t bytes, bool is_echoed,
                                                Clock::time_point deadline) {
  std::vector<double> times;
  for (size_t i = 0; i < repeats; ++i) {
    EDGEWRIGHT_ASSIGN(times.emplace_back(), exchange_us(bytes, is_echoed, deadline));
  }
  return times;
}

Result<size_t> LinkProbe::large_bytes(size_t largest_bytes, Clock::time_point deadline) {
  // The least of some: a stall is no transfer.
  constexpr size_t kTries = 3;
  EDGEWRIGHT_ASSIGN(const auto small_us, times_us(kTries, kSmallBytes, false, deadline));
  size_t bytes = std::min(kFirstLargeBytes, largest_bytes);
  while (true) {
    EDGEWRIGHT_ASSIGN(const auto large_us, times_us(kTries, bytes, false, deadline));
    const double sending_us = std::ranges::min(large_us) - std::ranges::min(small_us);
    if (sending_us >= kEnoughUs || bytes == largest_bytes) return bytes;
    bytes = std::min(4 * bytes, largest_bytes);
  }
}

Result<LinkMeasurement> LinkProbe::measure(size_t repeats, size_t largest_bytes, uint64_t seed,
                                           Clock::time_point deadline) {
  LinkMeasurement found;
  std::vector<double> pings;
  for (size_t i = 0; i < repeats; ++i) {
    EDGEWRIGHT_ASSIGN(pings.emplace_back(), client_.ping(deadline));
  }
  TwoSizes sizes;
  EDGEWRIGHT_ASSIGN(const size_t large, large_bytes(largest_bytes, deadline));
  sizes.small_bytes = kSmallBytes;
  sizes.large_bytes = static_cast<double>(large);
  EDGEWRIGHT_ASSIGN(sizes.small_us, times_us(repeats, kSmallBytes, false, deadline));
  EDGEWRIGHT_ASSIGN(sizes.large_us, times_us(repeats, large, false, deadline));
  EDGEWRIGHT_ASSIGN(found.uplink, fit_link(sizes, seed));
  found.round_trip_us = median_interval(pings, seed);
  found.round_trip_cv = deviation_share(pings);
  std::vector<double> sending;
  sending.reserve(sizes.large_us.size());
  for (const double time_us : sizes.large_us) {
    sending.push_back(std::max(1.0, time_us - found.uplink.fixed_us.value));
  }
  found.uplink_cv = deviation_share(sending);
  found.small_bytes = sizes.small_bytes;
  found.large_bytes = sizes.large_bytes;
  found.exchanges = 3 * repeats;
  if (!has_echo_) return found;
  EDGEWRIGHT_ASSIGN(auto echoed, times_us(repeats, large, true, deadline));
  // The same bytes go up in both; what is more is their way back.
  EDGEWRIGHT_ASSIGN(const LinkFit back,
                    fit_link({0, sizes.large_bytes, sizes.large_us, std::move(echoed)}, seed));
  found.downlink_mbit_s = back.mbit_s;
  found.exchanges += repeats;
  return found;
}

}  // namespace edgewright
