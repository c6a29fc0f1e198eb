// Choosing among overlapping boxes.
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/families.h"
#include "kernels/reference/operand.h"

namespace edgewright {
namespace {

using namespace reference;

struct Box {
  float top, left, bottom, right;
  float area() const { return (bottom - top) * (right - left); }
};

Box box_at(const float* corners, bool centre) {
  if (centre) {  // x, y, width, height
    const float half_width = corners[2] / 2;
    const float half_height = corners[3] / 2;
    return {corners[1] - half_height, corners[0] - half_width, corners[1] + half_height,
            corners[0] + half_width};
  }
  return {std::min(corners[0], corners[2]), std::min(corners[1], corners[3]),
          std::max(corners[0], corners[2]), std::max(corners[1], corners[3])};
}

// Shared area of two boxes over the area that they cover together.
float overlap(const Box& a, const Box& b) {
  const float high = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float wide = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(high > 0 && wide > 0) || a.area() <= 0 || b.area() <= 0) return 0;
  return high * wide / (a.area() + b.area() - high * wide);
}

struct Suppression {
  int64_t most = 0;  // boxes kept per class
  float iou = 0;
  float score = 0;
  bool has_score = false;
  bool centre = false;
};

// Indices of the boxes that stay, best first.
std::vector<int64_t> chosen(const Suppression& rule, const float* boxes, const float* scores,
                            int64_t count) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isnan(scores[i]) && (!rule.has_score || scores[i] > rule.score)) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [scores](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  std::vector<int64_t> kept;
  for (const int64_t candidate : order) {
    if (static_cast<int64_t>(kept.size()) >= rule.most) break;
    const Box box = box_at(boxes + candidate * 4, rule.centre);
    const bool hidden = std::any_of(kept.begin(), kept.end(), [&](int64_t other) {
      return overlap(box, box_at(boxes + other * 4, rule.centre)) > rule.iou;
    });
    if (!hidden) kept.push_back(candidate);
  }
  return kept;
}

Status non_max_suppression(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> boxes, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<float> scores, operand<float>(call, 1));
  if (boxes.rank() != 3 || scores.rank() != 3 || boxes.dim(2) != 4 ||
      boxes.dim(0) != scores.dim(0) || boxes.dim(1) != scores.dim(2)) {
    return bad_input("{} of boxes {} and scores {}", call.op, dims_text(boxes.dims()),
                     dims_text(scores.dims()));
  }
  Suppression rule;
  EDGEWRIGHT_ASSIGN(rule.most, scalar_operand_or<int64_t>(call, 2, 0));
  EDGEWRIGHT_ASSIGN(rule.iou, scalar_operand_or<float>(call, 3, 0));
  EDGEWRIGHT_ASSIGN(rule.score, scalar_operand_or<float>(call, 4, 0));
  rule.has_score = call.has_input(4);
  rule.centre = call.attributes->get_int("center_point_box", 0) != 0;
  std::vector<int64_t> found;
  const int64_t classes = scores.dim(1);
  const int64_t count = boxes.dim(1);
  for (int64_t i = 0; i < boxes.dim(0) * classes; ++i) {
    const int64_t batch = i / classes;
    for (const int64_t box :
         chosen(rule, boxes.data + batch * count * 4, scores.data + i * count, count)) {
      found.insert(found.end(), {batch, i % classes, box});
    }
  }
  EDGEWRIGHT_ASSIGN(
      Tensor * y, call.make_output(0, DType::kInt64, {static_cast<int64_t>(found.size()) / 3, 3}));
  std::copy(found.begin(), found.end(), y->mutable_data<int64_t>());
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "NonMaxSuppression", non_max_suppression},
};

}  // namespace

std::span<const ReferenceKernel> detection_reference_kernels() { return kKernels; }

}  // namespace edgewright
