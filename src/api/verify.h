#pragma once

#include "edgewright/verify.h"
#include "graph/graph.h"
#include "verify/compare.h"
#include "verify/inputs.h"

namespace edgewright {

using Sample = std::vector<Datum>;

// Fills the outputs, layers and verdict of a report from a comparison.
void add_comparison(const Comparison& comparison, const CompareOptions& options,
                    VerifyReport& report);
CompareOptions compare_options(const VerifyOptions& options);

// One seeded sample, or several, for the inputs of a graph that are no constants.
Result<Sample> sample_of_kind(const Graph& graph, const VerifyOptions& options, InputKind kind,
                              uint64_t seed);
Result<std::vector<Sample>> seeded_samples(const Graph& graph, const VerifyOptions& options);

// DATA: samples for the inputs of a graph, and the array `labels` where there is one.
struct LabelledSamples {
  std::vector<Sample> samples;
  std::optional<Tensor> labels;  // as many along its first axis as there are samples
};
Result<LabelledSamples> read_samples(const Graph& graph, const std::string& data, int most);
// The array `labels` of DATA alone, where there is one; kBadInput where it has fewer than `count`.
Result<std::optional<Tensor>> read_sample_labels(const std::string& data, int64_t count);

}  // namespace edgewright
