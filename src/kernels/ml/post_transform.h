#pragma once

#include "kernels/reference/operand.h"

namespace edgewright::reference {

// What ai.onnx.ml models do with their scores in the end.
enum class PostTransform { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };

// The attribute `post_transform` by name; kBadInput for unknown ones.
Result<PostTransform> post_transform_of(const OpCall& call);
// Applies it in place to the scores of one row.
void apply_post_transform(PostTransform transform, float* scores, int64_t count);
float logistic(float x);

// The class labels of a classifier: strings or integers; 0, 1, ... where neither is given.
struct ClassLabels {
  std::vector<std::string> strings;
  std::vector<int64_t> integers;

  int64_t count() const {
    return static_cast<int64_t>(strings.empty() ? integers.size() : strings.size());
  }
};
// From two attributes, of which one may be set.
Result<ClassLabels> class_labels(const OpCall& call, std::string_view strings,
                                 std::string_view integers);
// Output 0: the label of every row.
Status give_labels(OpCall& call, const ClassLabels& labels, const std::vector<int64_t>& rows);

// The rows of an input of rank 1 or 2.
struct Rows {
  int64_t count = 1;
  int64_t width = 0;
};
Result<Rows> rows_of(const OpCall& call, const Tensor& x);

}  // namespace edgewright::reference
