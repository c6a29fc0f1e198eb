#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/datum.h"

namespace edgewright {

// A measure of how well both sides do their task on labelled data.
struct TaskMetric {
  std::string name;  // top1, top5, map, perplexity, bleu, rouge_l, mse, mae
  double reference = 0, candidate = 0;
  double loss = 0;     // how much worse the candidate is: points of percent, or percent (relative)
  double p_value = 1;  // of the difference, by a paired test over samples
  bool relative = false;  // `loss` is relative: errors and perplexity, which have no natural scale
  bool passed = true;
};

// Rows are labels, columns are answers.
using ConfusionMatrix = std::vector<std::vector<int64_t>>;

struct TaskResult {
  std::vector<TaskMetric> metrics;  // empty: the data have no labels
  double agreement = 0;             // share of samples with the same answer; classification only
  ConfusionMatrix reference_confusion, candidate_confusion;
};

// Scores both sides against labels, one sample at a time.
class TaskScorer {
 public:
  virtual ~TaskScorer() = default;
  virtual Status add(std::span<const Datum> reference, std::span<const Datum> candidate,
                     const Tensor& label) = 0;
  // A metric passes when its loss is at most `max_loss`.
  virtual TaskResult finish(double max_loss) const = 0;
};

// The task follows from the labels, an array with samples along its first axis:
//   int64 [N]            classification; the first output has the scores of classes last: top1,
//   top5 int64 [N, T]         language; the first output is logits [.., T, V]; label -100 is
//   ignored:
//                        perplexity of the labels, BLEU and ROUGE-L of the likeliest tokens
//   float [N, M, 5]      detection; a row is label, left, top, right, bottom, label -1 is padding;
//                        outputs `boxes` [.., B, 4] and `scores` [.., B, C], class 0 is background:
//                        mean average precision at IoU 0.50:0.95 after suppression at IoU 0.5
//   float, other shapes  regression; as many elements a sample as the first output: mse, mae
// kBadInput when the labels fit none of these.
Result<std::unique_ptr<TaskScorer>> make_task_scorer(const Tensor& labels,
                                                     std::span<const std::string> output_names);

}  // namespace edgewright
