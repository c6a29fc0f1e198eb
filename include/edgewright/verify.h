#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "edgewright/result.h"
#include "edgewright/session.h"

namespace edgewright {

// Differences of one value over all samples: relative_l2 = ||c-r||/||r||, max_abs = max|c-r|,
// cosine = <c,r>/(||c|| ||r||).
struct ValueDifference {
  std::string name;
  double relative_l2 = 0, max_abs = 0, cosine = 1;
  std::string problem;  // not empty: type or shape differ
  bool passed = true;
};

struct VerifyOptions {
  std::string data;       // .npz or folder of .npy; empty: seeded random inputs
  bool boundary = false;  // zeros, ones, huge, tiny (denormal) and negative inputs too
  int samples = 0;        // at most so many; 0: all of the data, or 4 seeded ones
  uint64_t seed = 0;
  InputShapes shapes;
  double relative_l2 = 1e-4, max_abs = 1e-5;  // an output passes within one of the two
  bool layers = true;
  int threads = 1;
  std::string reference_backend = "reference", candidate_backend = "native";
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

struct VerifyReport {
  std::vector<ValueDifference> outputs, layers;
  std::optional<std::string> first_divergence;
  // Which kind of boundary input broke the candidate: name of the kind -> relative L2 of the worst
  // output.
  std::vector<std::pair<std::string, double>> boundary;
  int64_t samples = 0;
  bool passed = false;
  std::vector<std::string> warnings;
};

// Do the two model files (ONNX or .ewplan) compute the same function? Outputs are matched by
// position, inner values by name.
Result<VerifyReport> verify(const std::string& reference, const std::string& candidate,
                            const VerifyOptions& options = {});

std::string to_json(const VerifyReport& report);

}  // namespace edgewright
