// Classification losses.
#include <cmath>
#include <optional>

#include "kernels/families.h"
#include "kernels/reference/operand.h"

namespace edgewright {
namespace {

using namespace reference;

// Scores [batch, classes, positions], labels [batch, positions].
template <class T>
struct Classified {
  Operand<T> scores;
  Operand<int64_t> labels;
  Operand<T> weights;
  int64_t classes = 0;
  int64_t positions = 1;
  std::optional<int64_t> ignored;
  std::string reduction;

  int64_t at(int64_t i, int64_t label) const {
    return (i / positions * classes + label) * positions + i % positions;
  }
};

template <class T>
Result<Classified<T>> read_classified(OpCall& call) {
  Classified<T> c;
  EDGEWRIGHT_ASSIGN(c.scores, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(c.labels, operand<int64_t>(call, 1));
  EDGEWRIGHT_ASSIGN(c.weights, optional_operand<T>(call, 2));
  if (c.scores.rank() < 2) {
    return bad_input("{} of shape {}, expected rank 2 or more", call.op,
                     dims_text(c.scores.dims()));
  }
  Dims dims = c.scores.dims();
  c.classes = dims[1];
  dims.erase(dims.begin() + 1);
  EDGEWRIGHT_TRY(expect_dims(call, "the target", *c.labels.tensor, dims));
  c.positions = span_count(dims, 1);
  if (c.weights) EDGEWRIGHT_TRY(expect_dims(call, "weight", *c.weights.tensor, {c.classes}));
  if (call.attributes->contains("ignore_index")) {
    c.ignored = call.attributes->get_int("ignore_index", 0);
  }
  c.reduction = call.attributes->get_string("reduction", "mean");
  if (c.reduction != "none" && c.reduction != "mean" && c.reduction != "sum") {
    return bad_input("{} has reduction '{}'", call.op, c.reduction);
  }
  for (int64_t i = 0; i < c.labels.count(); ++i) {
    const int64_t label = c.labels[i];
    if (label != c.ignored && (label < 0 || label >= c.classes)) {
      return bad_input("{} has class {} of {}", call.op, label, c.classes);
    }
  }
  return c;
}

// The loss of log probabilities laid out as the scores, to output 0.
template <class T>
Status give_loss(OpCall& call, const Classified<T>& c, const T* log_probability) {
  const bool none = c.reduction == "none";
  EDGEWRIGHT_ASSIGN(const Computed<T> y,
                    computed<T>(call, 0, c.scores.dtype(), none ? c.labels.dims() : Dims{}));
  double sum = 0;
  double weights = 0;
  for (int64_t i = 0; i < c.labels.count(); ++i) {
    const int64_t label = c.labels[i];
    if (label == c.ignored) continue;
    const double weight = c.weights ? c.weights[label] : 1;
    const double loss = -weight * log_probability[c.at(i, label)];
    if (none) y[i] = static_cast<T>(loss);
    sum += loss;
    weights += weight;
  }
  if (!none) y[0] = static_cast<T>(c.reduction == "mean" ? sum / weights : sum);
  return y.finish();
}

template <class T>
Status negative_log_likelihood(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Classified<T> c, read_classified<T>(call));
  return give_loss(call, c, c.scores.data);
}

template <class T>
Status softmax_cross_entropy(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Classified<T> c, read_classified<T>(call));
  EDGEWRIGHT_ASSIGN(T * logs, scratch_array<T>(call, c.scores.count()));
  for (int64_t i = 0; i < c.labels.count() && c.classes > 0; ++i) {
    double highest = c.scores[c.at(i, 0)];
    for (int64_t k = 1; k < c.classes; ++k) {
      highest = std::max<double>(highest, c.scores[c.at(i, k)]);
    }
    double sum = 0;
    for (int64_t k = 0; k < c.classes; ++k) sum += std::exp(c.scores[c.at(i, k)] - highest);
    for (int64_t k = 0; k < c.classes; ++k) {
      logs[c.at(i, k)] = static_cast<T>(c.scores[c.at(i, k)] - highest - std::log(sum));
    }
  }
  if (call.output_count > 1 && call.wants_output(1)) {
    EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 1, c.scores.dtype(), c.scores.dims()));
    std::copy_n(logs, y.count(), y.data);
    EDGEWRIGHT_TRY(y.finish());
  }
  return give_loss(call, c, logs);
}

constexpr ReferenceKernel kKernels[] = {
    {"", "NegativeLogLikelihoodLoss",
     real<negative_log_likelihood<float>, negative_log_likelihood<double>>},
    {"", "SoftmaxCrossEntropyLoss",
     real<softmax_cross_entropy<float>, softmax_cross_entropy<double>>},
};

}  // namespace

std::span<const ReferenceKernel> loss_reference_kernels() { return kKernels; }

}  // namespace edgewright
