#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "edgewright/session.h"

namespace edgewright {

// What of a model runs on another framework, what falls back and what that costs.
struct TargetOptions {
  std::string target;    // NAME@VERSION: "tensorrt@8.6"
  std::string hardware;  // "gpu"; empty: the framework's first
  InputShapes shapes;
  std::string device;       // whose CPU: of the catalogue, a file or "peak=..,bandwidth=.."
  std::string accelerator;  // "peak=..,bandwidth=.." in place of a usual one of that hardware
  // GELU where it has to be decomposed: the largest error allowed, over this range of its input.
  double gelu_max_error = 1e-3, gelu_low = -8, gelu_high = 8;
};

// Where one node goes: "native"; "fuse" (native thanks to a fusion of ours); "decompose"; "cast";
// "custom" (a plugin is needed); "cpu"; "no".
struct NodePlacement {
  std::string node, op, placement;
  double time_us = 0;  // there
  std::string reason;  // the table's row: basis and source
  std::string advice;  // what would avoid a fallback; empty where there is none
};

struct TargetReport {
  std::string framework, version, hardware, description;
  std::vector<NodePlacement> nodes;
  std::map<std::string, int64_t> counts;  // placement -> nodes
  int64_t transitions = 0;                // values that cross between accelerator and CPU
  double bytes_moved = 0;
  double predicted_us = 0;      // with transfers
  double unconstrained_us = 0;  // had the target everything as one operation of its own
  int opset = 0;                // of the model that the target's importer reads; 0: any
  std::vector<std::string> assumptions;
  bool passed = false;  // every node runs somewhere, without a plugin
  std::vector<std::string> warnings;
};

Result<TargetReport> check_target(const std::string& model, const TargetOptions& options);
std::string to_json(const TargetReport& report);
// Frameworks of the support tables.
std::vector<std::string> target_names();

}  // namespace edgewright
