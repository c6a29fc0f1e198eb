#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "edgewright/result.h"
#include "edgewright/session.h"

namespace edgewright {

// Mean and central moments of a value's elements; kurtosis is the excess over a normal one's 3.
struct MomentSummary {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0;
};

// How the distribution of a value moved. kl and js in nats, wasserstein_1 in units of the value.
struct DistributionSummary {
  MomentSummary reference, candidate;
  std::vector<double> quantiles, reference_quantiles, candidate_quantiles;
  double kl = 0, js = 0, wasserstein_1 = 0;
};

// The errors candidate - reference. A systematic bias (a share of at least 0.1 of the mean square
// error comes from the mean) can be corrected by a constant, random error cannot.
struct ErrorSummary {
  std::string verdict;  // "exact", "systematic bias" or "random error"
  double mean = 0, mean_square = 0, bias_share = 0;
  double low = 0, high = 0;  // range of the histogram, in equal bins
  std::vector<int64_t> histogram;
};

// Differences of one value over all samples: relative_l2 = ||c-r||/||r||, max_abs = max|c-r|,
// cosine = <c,r>/(||c|| ||r||).
struct ValueDifference {
  std::string name;
  double relative_l2 = 0, max_abs = 0, cosine = 1;
  std::string problem;  // not empty: type or shape differ
  bool passed = true;
  // Absent in the report of convert.
  std::optional<DistributionSummary> distribution;
  std::optional<ErrorSummary> errors;
};

// A measure on labelled data. `loss` is how much worse the candidate is: in points of percent, or,
// where `relative`, in percent of the reference's. p_value is of a paired test over samples.
struct TaskScore {
  std::string metric;  // top1, top5, map, perplexity, bleu, rouge_l, mse, mae
  double reference = 0, candidate = 0, loss = 0, p_value = 1;
  bool relative = false;
  bool passed = true;
};

struct BisectedLayerReport {
  std::string name;        // of the value
  std::string node, op;    // what makes it in the candidate
  double relative_l2 = 0;  // of the layer alone, computed from the reference's values
};
struct BisectReport {
  std::vector<BisectedLayerReport> layers;  // worst first
  int64_t layers_compared = 0, model_runs = 0;
  bool restored = false;  // with these layers as in the reference the outputs pass
};

// One candidate of a trade-off; smaller is better in every figure.
struct TradeOffPoint {
  std::string file;
  double latency_us = 0;
  int64_t size_bytes = 0;
  double error = 0;  // relative L2 of the worst output, or the loss of the first task metric
  bool on_front = false, knee = false;
};

struct VerifyOptions {
  std::string data;       // .npz or folder of .npy; empty: seeded random inputs
  bool boundary = false;  // zeros, huge, denormal, sparse, NaN, adversarial ... inputs too
  int samples = 0;        // at most so many; 0: all of the data, or 4 seeded ones
  uint64_t seed = 0;
  InputShapes shapes;
  double relative_l2 = 1e-4, max_abs = 1e-5;  // an output passes within one of the two
  // Data with labels: a task metric passes when it loses at most so much (points of percent;
  // percent for metrics without a scale of their own), and the metrics decide instead of the
  // differences.
  double max_loss = 0.5;
  bool derivatives = false;         // compare directional derivatives too
  bool bisect = false;              // find the layers to blame
  std::vector<std::string> pareto;  // more candidates to weigh against each other
  bool layers = true;
  int threads = 1;
  // "native", "reference", "openvino" or "mixed", of a side that is a model.
  std::string reference_backend = "reference", candidate_backend = "native";
  std::string openvino_library;  // as in InferenceOptions
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

struct VerifyReport {
  std::vector<ValueDifference> outputs, layers;
  std::optional<std::string> first_divergence;
  // Which kind of boundary input broke the candidate: name of the kind -> relative L2 of the worst
  // output; the most harmful kind first.
  std::vector<std::pair<std::string, double>> boundary;
  std::vector<TaskScore> task;
  std::optional<double> agreement;  // share of samples with the same top-1 answer
  // Rows are labels, columns answers; empty where there are no classes or over 256.
  std::vector<std::vector<int64_t>> reference_confusion, candidate_confusion;
  std::optional<double> derivative_relative_l2;
  std::optional<BisectReport> bisect;
  std::vector<TradeOffPoint> pareto;
  int64_t samples = 0, layer_samples = 0;
  std::string decided_by;  // "differences" or "task"
  bool passed = false;
  std::vector<std::string> warnings;
};

// Do the two compute the same function? Each is an ONNX model, a plan, or recorded outputs: a .npz
// with one array per output (and per inner value, if wanted), samples along the first axis. Outputs
// are matched by position, inner values by name. Inner values are compared on the first 8 samples,
// for which an ONNX reference runs on the reference kernels; the rest of long data runs it,
// unoptimised, on the native engine.
Result<VerifyReport> verify(const std::string& reference, const std::string& candidate,
                            const VerifyOptions& options = {});
std::string to_json(const VerifyReport& report);

}  // namespace edgewright
