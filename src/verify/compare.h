#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "verify/difference.h"
#include "verify/distribution.h"

namespace edgewright {

// Something that computes a model: the interpreter, a plan, another runtime.
class Subject {
 public:
  using Observer = std::function<void(const std::string& name, const Datum& datum)>;
  virtual ~Subject() = default;
  virtual std::vector<std::string> output_names() const = 0;
  // Outputs in order; calls the observer for every intermediate value it can show.
  virtual Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                         const Observer& observer) = 0;
};

struct NamedDifference {
  std::string name;
  Difference difference;
  std::string problem;  // set when type or shape differ
  DistributionShift shift;
  ErrorProfile errors;
};

struct Comparison {
  std::vector<NamedDifference> outputs;
  std::vector<NamedDifference> layers;  // values that both show, in the candidate's order
  std::optional<std::string> first_divergence;
  size_t samples = 0;
  bool passed = false;
};

struct CompareOptions {
  Tolerance tolerance;
  // Values inside may differ more than outputs: errors partly cancel on the way.
  Tolerance layer_tolerance{1e-3, 1e-4};
  bool layers = true;
  size_t layer_samples = std::numeric_limits<size_t>::max();  // layers of the first so many only
  bool distributions = false;                                 // fill shift and errors too
  // Called with the outputs of both sides for every sample.
  std::function<Status(size_t sample, std::span<const Datum> reference,
                       std::span<const Datum> candidate)>
      on_outputs;
  Progress progress;
};

// Runs both on every sample and gathers the differences of outputs (matched by position) and of
// intermediate values (matched by name). Memory: the layers of one sample of the reference.
Result<Comparison> compare(Subject& reference, Subject& candidate,
                           const std::vector<std::vector<Datum>>& samples,
                           const CompareOptions& options);

}  // namespace edgewright
