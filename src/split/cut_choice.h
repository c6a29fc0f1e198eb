#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace edgewright {

// What a link and the server behind it are like now.
struct LinkEstimate {
  double uplink_mbit_s = 0, downlink_mbit_s = 0;  // 10^6 bits a second
  double round_trip_us = 0;                       // of the smallest exchange
  double server_slowdown = 1;                     // of the server's times against the measured ones
};

// A cut that is ready to run: what it takes where.
struct ReadyCut {
  std::string name;      // the last layer on the device; "output": all of them
  double device_us = 0;  // up to the cut
  double rest_us = 0;    // of the rest, when the device does that too
  double server_us = 0;  // of the rest on the idle server
  double sent_bytes = 0, result_bytes = 0;
  bool is_local = false;  // nothing is sent
  bool is_raced = false;  // the device does the rest beside the server; the first answer counts
};

// round trip + bytes / rates + server's time; 0 for a local cut.
double exchange_us(const ReadyCut& cut, const LinkEstimate& link);
// The device's part and the exchange.
double latency_us(const ReadyCut& cut, const LinkEstimate& link);
// Of a pipeline of many requests the slowest step: the device, either way of the link, the server.
double bottleneck_us(const ReadyCut& cut, const LinkEstimate& link);

enum class CutGoal : uint8_t { kLatency, kThroughput };
// What the goal makes small: latency_us(), or bottleneck_us() and a thousandth of the latency,
// which tells those of one bottleneck apart.
double goal_us(CutGoal goal, const ReadyCut& cut, const LinkEstimate& link);
// The best; `cuts` must not be empty.
size_t best_cut(std::span<const ReadyCut> cuts, const LinkEstimate& link,
                CutGoal goal = CutGoal::kLatency);

// Keeps to a cut until another is better by a share of its latency, so that noise does not make it
// flutter between two that are nearly the same.
class CutChoice {
 public:
  // `fixed`: the only one to take, whatever the link is like.
  CutChoice(std::vector<ReadyCut> cuts, const LinkEstimate& link, double hysteresis = 0.1,
            std::optional<size_t> fixed = std::nullopt, CutGoal goal = CutGoal::kLatency);

  const std::vector<ReadyCut>& cuts() const { return cuts_; }
  const ReadyCut& cut() const { return cuts_[current_]; }
  size_t current() const { return current_; }
  const LinkEstimate& link() const { return link_; }
  // True when the cut has changed.
  bool update(const LinkEstimate& link);

 private:
  std::vector<ReadyCut> cuts_;
  LinkEstimate link_;
  double hysteresis_;
  CutGoal goal_;
  bool is_fixed_;
  size_t current_;
};

}  // namespace edgewright
