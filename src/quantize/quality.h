#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quantize/runner.h"

namespace edgewright {

// How a candidate's outputs compare with the original's over a set of samples.
struct OutputQuality {
  double relative_l2 = 0;  // ||candidate - original|| / ||original||, all float outputs together
  // Share of positions at which the largest element of the first output's last axis is the same.
  double agreement = 1;
  // Share of samples whose largest element is the label; absent without labels.
  std::optional<double> reference_top1, top1;
  size_t samples = 0;
};

// Whether the error is smaller by more than some hundred samples leave open: by a twentieth.
bool measurably_better(const OutputQuality& candidate, const OutputQuality& other);

// The original's outputs on some samples, kept to compare candidates with. At most 256 MiB: samples
// beyond are left out.
class OutputReference {
 public:
  // `labels`: one a sample of the runner, or empty.
  static Result<OutputReference> create(const Graph& original, SampleRunner& runner,
                                        std::span<const size_t> samples,
                                        std::span<const int64_t> labels);
  // The candidate has the original's outputs first, in order.
  Result<OutputQuality> compare(const Graph& candidate) const;
  std::span<const size_t> samples() const { return samples_; }

 private:
  explicit OutputReference(SampleRunner& runner) : runner_(&runner) {}
  SampleRunner* runner_;
  std::vector<size_t> samples_;
  std::vector<std::vector<Tensor>> outputs_;  // by position in samples_
  std::vector<int64_t> labels_;               // by position in samples_
};

}  // namespace edgewright
