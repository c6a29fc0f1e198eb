#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "quantize/calibrate.h"
#include "quantize/quality.h"

namespace edgewright {

// Something that was decided by comparing: for the report.
struct QuantChoice {
  std::string what, chosen, runner_up, why;
};

// Which samples of DATA serve for ranges and which only for judging what was chosen.
struct SampleSplit {
  std::vector<size_t> calibration, held_back;
};
// Every fourth sample is held back, at most 128 of them; of fewer than four samples all serve for
// both.
SampleSplit split_samples(size_t count);

struct StaticOptions {
  std::string calibrator = "auto";  // or one of calibrators()
  CalibratorOptions calibration;
  double averaging_factor = 0.01;
  Scheme scheme;
  std::set<std::string> excluded;  // layers that stay in float
  bool chains = true;
  bool outputs = false;      // SiteOptions::outputs
  bool correct_bias = true;  // tried, and kept where it helps
  std::string cache;         // calibration cache file; empty: none
  std::string cache_key;
  Progress progress;
};

struct StaticResult {
  std::set<std::string> excluded;  // as asked for
  std::string calibrator;          // the one chosen, or "per layer"
  double calibration_us = 0;       // the pass over the samples and the ranges of all calibrators
  QuantSites sites;                // of `graph`
  QuantDecision decision;
  OutputQuality quality;  // of the simulated form, on the held-back samples
  std::map<std::string, LayerError> layers;
  std::vector<QuantChoice> choices;
  std::vector<std::string> warnings;
};

// Chooses how every value of the graph is rounded: each calibrator is tried on every layer and on
// the whole model, and judged on the held-back samples. The graph stays as it is; insert_qdq()
// applies the decision. kBadInput when the samples drive a value to NaN or infinity, kUnsupported
// when no layer can run in integers.
Result<StaticResult> quantize_static(Graph& graph, SampleRunner& runner, const SampleSplit& split,
                                     const OutputReference& reference,
                                     const StaticOptions& options);

// The quality of a decision's simulated form.
Result<OutputQuality> simulated_quality(const Graph& graph, const QuantDecision& decision,
                                        const OutputReference& reference);

}  // namespace edgewright
