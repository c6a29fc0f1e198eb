#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "quantize/calibrator.h"
#include "quantize/qdq.h"
#include "quantize/runner.h"

namespace edgewright {

// What was seen of every value that matters, by name.
using Observations = std::map<std::string, Histogram>;

// Runs the graph once over the samples and counts the numbers of these values. kBadInput naming
// value and sample where a NaN or infinity comes up. Memory: one histogram a value.
Result<Observations> observe(const Graph& graph, const std::vector<std::string>& values,
                             SampleRunner& runner, std::span<const size_t> samples,
                             double averaging_factor, const Progress& progress = nullptr);

// The names of the values whose numbers the points need.
std::vector<std::string> observed_values(const QuantSites& sites);

// The calibration cache file: observations with what they depend on. `key` says which model and
// which samples they are of.
Status write_observations(const std::string& path, const std::string& key,
                          const Observations& observations);
// kBadInput for a malformed file; kCheckFailed when it belongs to another key.
Result<Observations> read_observations(const std::string& path, const std::string& key);

// Every value rounded to what one calibrator makes of it; all layers of the sites.
QuantDecision decide(const QuantSites& sites, const Observations& observations,
                     const Calibrator& calibrator, const Scheme& scheme,
                     const CalibratorOptions& options);

// How far the result of one layer is off when only this layer is rounded: sums over samples.
struct LayerError {
  double squared_error = 0, squared_reference = 0;
  std::vector<double> shift;  // per output channel: mean of exact result - rounded result
  int64_t channel_count = 0;  // numbers seen of one channel
  double relative() const;    // ||error|| / ||reference||
};
// Every compute layer on exact inputs, rounded and not, side by side.
Result<std::map<std::string, LayerError>> layer_errors(const Graph& graph,
                                                       const QuantDecision& decision,
                                                       SampleRunner& runner,
                                                       std::span<const size_t> samples);

}  // namespace edgewright
