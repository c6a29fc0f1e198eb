#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "serve/client.h"
#include "split/link_fit.h"

namespace edgewright {

// A model that `split plan --write-halves` puts beside the halves: input `input` (uint8, any
// length), outputs `data` (the same) and `size` (its length), so that any server can be measured
// both ways.
inline constexpr std::string_view kEchoModel = "edgewright-echo";

struct LinkMeasurement {
  LinkFit uplink;
  std::optional<Interval> downlink_mbit_s;  // absent when the server has no echo model
  Interval round_trip_us;                   // of the smallest question
  double round_trip_cv = 0, uplink_cv = 0;  // standard deviation / mean over the exchanges
  double small_bytes = 0, large_bytes = 0;
  size_t exchanges = 0;
};

// Measures the way to a server by exchanges of two sizes.
class LinkProbe {
 public:
  using Clock = std::chrono::steady_clock;

  // Asks whether the server has the echo model.
  LinkProbe(InferenceClient& client, Clock::time_point deadline);
  bool has_echo() const { return has_echo_; }

  // The time of sending so many bytes and getting a small answer, or the same bytes, back. Without
  // the echo model they go to a model that does not exist: the server reads them and refuses.
  Result<double> exchange_us(size_t bytes, bool is_echoed, Clock::time_point deadline);
  // `repeats` exchanges of each size. The larger one is chosen so that sending takes long enough to
  // be told from the round trip, within `largest_bytes`.
  Result<LinkMeasurement> measure(size_t repeats, size_t largest_bytes, uint64_t seed,
                                  Clock::time_point deadline);

 private:
  Result<std::vector<double>> times_us(size_t repeats, size_t bytes, bool is_echoed,
                                       Clock::time_point deadline);
  Result<size_t> large_bytes(size_t largest_bytes, Clock::time_point deadline);

  InferenceClient& client_;
  bool has_echo_ = false;
};

}  // namespace edgewright
