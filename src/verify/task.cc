#include "verify/task.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "verify/detection.h"
#include "verify/significance.h"
#include "verify/text_metrics.h"

namespace edgewright {
namespace {

constexpr int64_t kIgnoredLabel = -100;
constexpr size_t kMostClassesInMatrix = 256;
constexpr double kSuppression = 0.5;  // IoU over which two boxes are one object
constexpr double kLeastScore = 0.05;

Result<std::vector<double>> numbers(std::span<const Datum> outputs, size_t index) {
  if (index >= outputs.size() || !outputs[index].is_tensor()) {
    return bad_input("output {} is no tensor; a task metric needs one", index);
  }
  return outputs[index].tensor().to_doubles();
}

double mean(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> differences(std::span<const double> a, std::span<const double> b) {
  std::vector<double> result(a.size());
  std::ranges::transform(a, b, result.begin(), std::minus());
  return result;
}

// A metric that is better when higher, in percent.
TaskMetric score(std::string name, double reference, double candidate, double p_value,
                 double max_loss) {
  TaskMetric metric{std::move(name), reference, candidate, reference - candidate, p_value};
  metric.passed = metric.loss <= max_loss;
  return metric;
}

// A metric that is better when lower; its loss is relative, in percent.
TaskMetric cost(std::string name, double reference, double candidate, double p_value,
                double max_loss) {
  const double worse = candidate - reference;
  TaskMetric metric{std::move(name), reference, candidate,
                    worse == 0 ? 0 : 100 * worse / std::fabs(reference), p_value};
  metric.relative = true;
  metric.passed = metric.loss <= max_loss;
  return metric;
}

class Classification : public TaskScorer {
 public:
  Status add(std::span<const Datum> reference, std::span<const Datum> candidate,
             const Tensor& label) override {
    EDGEWRIGHT_ASSIGN(const auto labels, label.to_int64s());
    EDGEWRIGHT_ASSIGN(const auto left, numbers(reference, 0));
    EDGEWRIGHT_ASSIGN(const auto right, numbers(candidate, 0));
    const int64_t expected = labels[0];
    if (expected < 0 || expected >= static_cast<int64_t>(left.size()) ||
        right.size() != left.size()) {
      return bad_input("label {} with {} and {} class scores", expected, left.size(), right.size());
    }
    classes_ = left.size();
    labels_.push_back(static_cast<size_t>(expected));
    reference_.add(left, labels_.back());
    candidate_.add(right, labels_.back());
    return {};
  }

  TaskResult finish(double max_loss) const override {
    TaskResult result;
    if (labels_.empty()) return result;
    const auto count = static_cast<double>(labels_.size());
    result.metrics.push_back(compare("top1", 1, count, max_loss));
    if (classes_ > 5) result.metrics.push_back(compare("top5", 5, count, max_loss));
    double same = 0;
    for (size_t i = 0; i < labels_.size(); ++i) {
      same += reference_.answers[i] == candidate_.answers[i] ? 1 : 0;
    }
    result.agreement = same / count;
    if (classes_ <= kMostClassesInMatrix) {
      result.reference_confusion = confusion(reference_);
      result.candidate_confusion = confusion(candidate_);
    }
    return result;
  }

 private:
  struct Side {
    std::vector<size_t> answers, ranks;  // ranks: how many classes score higher than the label
    void add(const std::vector<double>& scores, size_t label) {
      answers.push_back(static_cast<size_t>(std::ranges::max_element(scores) - scores.begin()));
      // Equal scores: the lower index is the answer, as with arg max. NaN never ranks.
      size_t rank = 0;
      for (size_t i = 0; i < scores.size(); ++i) {
        rank += scores[i] > scores[label] || (scores[i] == scores[label] && i < label) ? 1 : 0;
      }
      ranks.push_back(std::isnan(scores[label]) ? scores.size() : rank);
    }
  };

  TaskMetric compare(std::string name, size_t top, double count, double max_loss) const {
    int64_t left = 0, right = 0, only_left = 0, only_right = 0;
    for (size_t i = 0; i < labels_.size(); ++i) {
      const bool l = reference_.ranks[i] < top, r = candidate_.ranks[i] < top;
      left += l ? 1 : 0;
      right += r ? 1 : 0;
      only_left += l && !r ? 1 : 0;
      only_right += r && !l ? 1 : 0;
    }
    return score(std::move(name), 100 * static_cast<double>(left) / count,
                 100 * static_cast<double>(right) / count, mcnemar_p_value(only_left, only_right),
                 max_loss);
  }

  ConfusionMatrix confusion(const Side& side) const {
    ConfusionMatrix matrix(classes_, std::vector<int64_t>(classes_, 0));
    for (size_t i = 0; i < labels_.size(); ++i) matrix[labels_[i]][side.answers[i]] += 1;
    return matrix;
  }

  size_t classes_ = 0;
  std::vector<size_t> labels_;
  Side reference_, candidate_;
};

class Language : public TaskScorer {
 public:
  Status add(std::span<const Datum> reference, std::span<const Datum> candidate,
             const Tensor& label) override {
    EDGEWRIGHT_ASSIGN(const auto labels, label.to_int64s());
    EDGEWRIGHT_TRY(reference_.add(reference, labels));
    EDGEWRIGHT_TRY(candidate_.add(candidate, labels));
    Tokens expected;
    for (const int64_t token : labels) {
      if (token != kIgnoredLabel) expected.push_back(std::to_string(token));
    }
    expected_.push_back(std::move(expected));
    return {};
  }

  TaskResult finish(double max_loss) const override {
    TaskResult result;
    if (expected_.empty()) return result;
    const double p = paired_t_p_value(differences(reference_.losses, candidate_.losses));
    result.metrics.push_back(cost("perplexity", std::exp(mean(reference_.losses)),
                                  std::exp(mean(candidate_.losses)), p, max_loss));
    result.metrics.push_back(score("bleu", bleu(reference_.answers, expected_),
                                   bleu(candidate_.answers, expected_), p, max_loss));
    result.metrics.push_back(score("rouge_l", 100 * rouge_l(reference_.answers, expected_),
                                   100 * rouge_l(candidate_.answers, expected_), p, max_loss));
    return result;
  }

 private:
  struct Side {
    std::vector<double> losses;  // nats a token
    std::vector<Tokens> answers;
    Status add(std::span<const Datum> outputs, const std::vector<int64_t>& labels) {
      EDGEWRIGHT_ASSIGN(const auto logits, numbers(outputs, 0));
      if (labels.empty() || logits.size() % labels.size() != 0 || logits.empty()) {
        return bad_input("{} logits for {} labels", logits.size(), labels.size());
      }
      const size_t vocabulary = logits.size() / labels.size();
      Tokens answer;
      for (size_t t = 0; t < labels.size(); ++t) {
        if (labels[t] == kIgnoredLabel) continue;
        if (labels[t] < 0 || labels[t] >= static_cast<int64_t>(vocabulary)) {
          return bad_input("label {} with a vocabulary of {}", labels[t], vocabulary);
        }
        const std::span<const double> row(logits.data() + t * vocabulary, vocabulary);
        const auto best = std::ranges::max_element(row);
        double sum = 0;
        for (const double logit : row) sum += std::exp(logit - *best);
        losses.push_back(std::log(sum) + *best - row[static_cast<size_t>(labels[t])]);
        answer.push_back(std::to_string(best - row.begin()));
      }
      answers.push_back(std::move(answer));
      return {};
    }
  };

  std::vector<Tokens> expected_;
  Side reference_, candidate_;
};

class ObjectDetection : public TaskScorer {
 public:
  ObjectDetection(size_t boxes, size_t scores) : boxes_(boxes), scores_(scores) {}

  Status add(std::span<const Datum> reference, std::span<const Datum> candidate,
             const Tensor& label) override {
    EDGEWRIGHT_ASSIGN(const auto rows, label.to_doubles());
    std::vector<TrueBox> expected;
    for (size_t i = 0; i + 5 <= rows.size(); i += 5) {
      if (rows[i] < 0) continue;
      expected.push_back(
          {static_cast<int64_t>(rows[i]), {rows[i + 1], rows[i + 2], rows[i + 3], rows[i + 4]}});
    }
    EDGEWRIGHT_ASSIGN(auto left, detections(reference));
    EDGEWRIGHT_ASSIGN(auto right, detections(candidate));
    reference_.push_back({std::move(left), expected});
    candidate_.push_back({std::move(right), std::move(expected)});
    return {};
  }

  TaskResult finish(double max_loss) const override {
    TaskResult result;
    std::vector<double> left, right;
    for (size_t i = 0; i < reference_.size(); ++i) {
      left.push_back(mean_average_precision({&reference_[i], 1}));
      right.push_back(mean_average_precision({&candidate_[i], 1}));
    }
    if (left.empty()) return result;
    result.metrics.push_back(score("map", 100 * mean_average_precision(reference_),
                                   100 * mean_average_precision(candidate_),
                                   paired_t_p_value(differences(left, right)), max_loss));
    return result;
  }

 private:
  Result<std::vector<Detection>> detections(std::span<const Datum> outputs) const {
    EDGEWRIGHT_ASSIGN(const auto boxes, numbers(outputs, boxes_));
    EDGEWRIGHT_ASSIGN(const auto scores, numbers(outputs, scores_));
    const size_t count = boxes.size() / 4;
    if (count == 0 || boxes.size() % 4 != 0 || scores.size() % count != 0) {
      return bad_input("{} box corners with {} scores", boxes.size(), scores.size());
    }
    const size_t classes = scores.size() / count;
    std::vector<Detection> found;
    for (size_t i = 0; i < count; ++i) {
      for (size_t c = 1; c < classes; ++c) {
        const double value = scores[i * classes + c];
        if (value < kLeastScore) continue;
        const double* box = &boxes[4 * i];
        found.push_back({static_cast<int64_t>(c), value, {box[0], box[1], box[2], box[3]}});
      }
    }
    return suppress_overlaps(std::move(found), kSuppression);
  }

  size_t boxes_, scores_;
  std::vector<DetectionImage> reference_, candidate_;
};

class Regression : public TaskScorer {
 public:
  Status add(std::span<const Datum> reference, std::span<const Datum> candidate,
             const Tensor& label) override {
    EDGEWRIGHT_ASSIGN(const auto expected, label.to_doubles());
    EDGEWRIGHT_TRY(reference_.add(reference, expected));
    return candidate_.add(candidate, expected);
  }

  TaskResult finish(double max_loss) const override {
    TaskResult result;
    if (reference_.squared.empty()) return result;
    result.metrics.push_back(
        cost("mse", mean(reference_.squared), mean(candidate_.squared),
             paired_t_p_value(differences(reference_.squared, candidate_.squared)), max_loss));
    result.metrics.push_back(
        cost("mae", mean(reference_.absolute), mean(candidate_.absolute),
             paired_t_p_value(differences(reference_.absolute, candidate_.absolute)), max_loss));
    return result;
  }

 private:
  struct Side {
    std::vector<double> squared, absolute;  // means of each sample's residuals
    Status add(std::span<const Datum> outputs, const std::vector<double>& expected) {
      EDGEWRIGHT_ASSIGN(const auto values, numbers(outputs, 0));
      if (values.size() != expected.size() || values.empty()) {
        return bad_input("{} values with {} labels a sample", values.size(), expected.size());
      }
      double squares = 0, sum = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        const double residual = values[i] - expected[i];
        squares += residual * residual;
        sum += std::fabs(residual);
      }
      squared.push_back(squares / static_cast<double>(values.size()));
      absolute.push_back(sum / static_cast<double>(values.size()));
      return {};
    }
  };
  Side reference_, candidate_;
};

}  // namespace

Result<std::unique_ptr<TaskScorer>> make_task_scorer(const Tensor& labels,
                                                     std::span<const std::string> output_names) {
  using Made = std::unique_ptr<TaskScorer>;
  const Dims& dims = labels.dims();
  if (is_integer(labels.dtype()) && dims.size() == 1)
    return Made(std::make_unique<Classification>());
  if (is_integer(labels.dtype()) && dims.size() == 2) return Made(std::make_unique<Language>());
  if (!is_floating_point(labels.dtype())) {
    return bad_input("labels are {} of shape {}; expected int64 [N] or [N,T], or float",
                     dtype_name(labels.dtype()), dims_text(dims));
  }
  if (dims.size() != 3 || dims[2] != 5) return Made(std::make_unique<Regression>());
  const auto boxes = std::ranges::find(output_names, "boxes");
  const auto scores = std::ranges::find(output_names, "scores");
  if (boxes == output_names.end() || scores == output_names.end()) {
    return bad_input(
        "labels of shape {} are boxes, but the model has no outputs 'boxes' and "
        "'scores'",
        dims_text(dims));
  }
  return Made(
      std::make_unique<ObjectDetection>(static_cast<size_t>(boxes - output_names.begin()),
                                        static_cast<size_t>(scores - output_names.begin())));
}

}  // namespace edgewright
