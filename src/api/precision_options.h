#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "quantize/sparsity.h"

namespace edgewright {

// The details of a precision, as --quantize KEY=VALUE gives them.
struct PrecisionOptions {
  std::string calibrator = "auto";
  double percentile = 99.99;
  double averaging_factor = 0.01;
  std::string scheme = "auto";
  bool symmetric = false;
  bool per_channel = true;
  bool chains = true;
  bool bias_correction = true;
  std::string method = "auto";  // of weights alone
  int weight_bits = 4;
  int64_t group = 32;  // rows of a column that share a scale; 0: the whole column
  std::optional<SparsityPattern> sparsity;
  bool migrate_scales = true;            // int8: tried, and kept where it helps
  std::string refuse = "auto";           // layers that measure slower in int8
  std::string objective = "latency";     // mixed: or "size", "energy"
  std::string device;                    // whose energies count
  std::vector<std::string> mixed_types;  // empty: those that suit objective and result
  bool exhaustive = false;               // mixed: every mix is judged
  double seconds = 120;                  // for the search of a mix
  std::vector<std::string> excluded;
  std::string cache;
  double max_error = 0.5;          // relative L2 of the outputs
  std::optional<double> max_loss;  // points of top-1
};

// kUsage naming the key or value that is not understood, with the list of those that are.
Result<PrecisionOptions> parse_precision_options(const std::vector<std::string>& pairs);

}  // namespace edgewright
