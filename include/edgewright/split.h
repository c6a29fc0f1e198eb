#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "edgewright/session.h"

namespace edgewright {

// Where to cut a computation between a device and a server, and what that costs.
struct SplitOptions {
  // A measured chain (columns layer,edge_s,cloud_s,out_MB) instead of a model.
  std::string profile;
  // Of the link, when no link is named; latency is the round trip that a request pays once.
  std::optional<double> bandwidth_mbit_s;
  double latency_ms = 0;
  std::string objective = "latency";  // or "throughput": the slowest stage of a pipeline
  // Bounds by name: device-weights-mb, device-energy-mj, server-ms, sent-mb, latency-ms.
  std::map<std::string, double> limits;
  bool map = false;  // also the best cut over bandwidth x latency
};

// One way to cut.
struct SplitCut {
  std::string cut;  // the last layer on the device; "input": none, "output": all
  double latency_us = 0;
  double bottleneck_us = 0;               // of a pipeline of many requests
  std::vector<double> tier_us;            // device first
  std::vector<double> hop_us;             // latency and results included
  std::vector<double> sent_bytes;         // over each hop
  std::vector<std::string> sent_tensors;  // over the first hop
  double device_weight_bytes = 0, device_energy_mj = 0;
  std::vector<std::string> broken_limits;
};

// Where the best cut changes as the bandwidth grows.
struct SplitCrossing {
  double bandwidth_mbit_s = 0;
  std::string from, to;
};

// The best cut at every pair of a bandwidth and a round trip.
struct SplitMap {
  std::vector<double> bandwidth_mbit_s, latency_ms;
  std::vector<std::vector<std::string>> cuts;  // [latency][bandwidth]
  std::vector<std::vector<double>> latency_us;
};

struct SplitReport {
  SplitCut best;
  std::optional<SplitCut> runner_up;  // the best that sends other tensors
  SplitCut all_on_device, all_on_server;
  std::map<std::string, SplitCut> heuristics;  // rules of thumb, to compare with
  std::vector<SplitCrossing> crossings;
  std::optional<SplitMap> map;
  std::string objective;
  bool is_exact = true;
  double lower_bound_us = 0;
  std::vector<std::string> assumptions;
  bool passed = true;  // false: no cut keeps the limits, `best` comes nearest
  std::vector<std::string> warnings;
};

std::string to_json(const SplitReport& report);
Result<SplitReport> plan_split(const SplitOptions& options);

}  // namespace edgewright
