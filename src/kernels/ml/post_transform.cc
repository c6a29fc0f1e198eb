#include "kernels/ml/post_transform.h"

#include <cmath>

namespace edgewright::reference {
namespace {

// The inverse of the error function by Winitzki's approximation with a = 0.147, as the ONNX
// operators use it for probit.
float inverse_erf(float x) {
  constexpr float kA = 0.147f;
  constexpr float kPi = 3.14159265358979f;
  const float log = std::log((1 - x) * (1 + x));
  const float term = 2 / (kPi * kA) + 0.5f * log;
  return std::copysign(std::sqrt(-term + std::sqrt(term * term - log / kA)), x);
}

void softmax(float* scores, int64_t count, bool keep_zero) {
  const float highest = *std::max_element(scores, scores + count);
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    // SOFTMAX_ZERO leaves scores that are zero alone.
    if (keep_zero && std::fabs(scores[i]) <= 1e-7f) continue;
    scores[i] = std::exp(scores[i] - highest);
    sum += scores[i];
  }
  for (int64_t i = 0; i < count && sum != 0; ++i) scores[i] /= sum;
}

}  // namespace

float logistic(float x) {
  const float v = 1 / (1 + std::exp(-std::fabs(x)));
  return x < 0 ? 1 - v : v;
}

Result<PostTransform> post_transform_of(const OpCall& call) {
  constexpr std::string_view kNames[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  const std::string name = call.attributes->get_string("post_transform", "NONE");
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<PostTransform>(i);
  }
  return bad_input("{} has post_transform '{}'", call.op, name);
}

void apply_post_transform(PostTransform transform, float* scores, int64_t count) {
  if (count == 0) return;
  switch (transform) {
    case PostTransform::kNone: return;
    case PostTransform::kSoftmax: return softmax(scores, count, false);
    case PostTransform::kSoftmaxZero: return softmax(scores, count, true);
    case PostTransform::kLogistic:
      for (int64_t i = 0; i < count; ++i) scores[i] = logistic(scores[i]);
      return;
    case PostTransform::kProbit:
      for (int64_t i = 0; i < count; ++i) {
        scores[i] = 1.41421356f * inverse_erf(2 * scores[i] - 1);
      }
      return;
  }
}

Result<ClassLabels> class_labels(const OpCall& call, std::string_view strings,
                                 std::string_view integers) {
  ClassLabels labels{call.attributes->get_strings(strings), call.attributes->get_ints(integers)};
  if (!labels.strings.empty() && !labels.integers.empty()) {
    return bad_input("{} has both {} and {}", call.op, strings, integers);
  }
  return labels;
}

Status give_labels(OpCall& call, const ClassLabels& labels, const std::vector<int64_t>& rows) {
  if (call.output_count < 1 || !call.wants_output(0)) return {};
  const Dims dims{static_cast<int64_t>(rows.size())};
  const bool strings = !labels.strings.empty();
  EDGEWRIGHT_ASSIGN(Tensor * y,
                    call.make_output(0, strings ? DType::kString : DType::kInt64, dims));
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto label = static_cast<size_t>(rows[i]);
    if (strings) {
      if (label >= labels.strings.size()) return bad_input("{}: no label {}", call.op, label);
      y->mutable_string_elements()[i] = labels.strings[label];
    } else {
      if (!labels.integers.empty() && label >= labels.integers.size()) {
        return bad_input("{}: no label {}", call.op, label);
      }
      y->mutable_data<int64_t>()[i] = labels.integers.empty() ? rows[i] : labels.integers[label];
    }
  }
  return {};
}

Result<Rows> rows_of(const OpCall& call, const Tensor& x) {
  if (x.rank() == 1) return Rows{1, x.dim(0)};
  if (x.rank() == 2) return Rows{x.dim(0), x.dim(1)};
  return bad_input("{} of shape {}, expected rank 1 or 2", call.op, dims_text(x.dims()));
}

}  // namespace edgewright::reference
