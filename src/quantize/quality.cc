#include "quantize/quality.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgewright {
namespace {

constexpr size_t kMaxKeptBytes = size_t{256} << 20;

// Index of the largest element of every row of the last axis.
std::vector<int64_t> top1_rows(const Tensor& tensor) {
  if (tensor.dtype() != DType::kFloat32 || tensor.rank() == 0 || tensor.element_count() == 0) {
    return {};
  }
  const auto elements = tensor.elements<float>();
  const auto width = static_cast<size_t>(tensor.dims().back());
  std::vector<int64_t> rows;
  for (size_t start = 0; start < elements.size(); start += width) {
    const auto row = elements.subspan(start, width);
    rows.push_back(std::ranges::max_element(row) - row.begin());
  }
  return rows;
}

struct Sums {
  double squared_error = 0, squared_reference = 0;
  size_t positions = 0, agreeing = 0, labelled = 0, right = 0, reference_right = 0;

  void add_pair(const Tensor& reference, const Tensor& candidate) {
    if (reference.dtype() != DType::kFloat32 || candidate.dims() != reference.dims()) return;
    const auto a = reference.elements<float>(), b = candidate.elements<float>();
    for (size_t i = 0; i < a.size(); ++i) {
      const double difference = static_cast<double>(b[i]) - a[i];
      squared_error += difference * difference;
      squared_reference += static_cast<double>(a[i]) * a[i];
    }
  }
  void add_top1(const Tensor& reference, const Tensor& candidate, const int64_t* label) {
    const auto a = top1_rows(reference), b = top1_rows(candidate);
    if (a.size() != b.size()) return;
    for (size_t i = 0; i < a.size(); ++i) agreeing += a[i] == b[i] ? 1 : 0;
    positions += a.size();
    if (label == nullptr || a.size() != 1) return;
    ++labelled;
    right += b[0] == *label ? 1 : 0;
    reference_right += a[0] == *label ? 1 : 0;
  }
};

double share(size_t part, size_t whole) {
  return whole == 0 ? 1 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Result<OutputReference> OutputReference::create(const Graph& original, SampleRunner& runner,
                                                std::span<const size_t> samples,
                                                std::span<const int64_t> labels) {
  OutputReference result(runner);
  size_t kept_bytes = 0;
  const auto keep = [&](size_t sample, std::span<const Tensor> outputs) -> Status {
    size_t bytes = 0;
    for (const Tensor& output : outputs) bytes += output.size_bytes();
    if (!result.outputs_.empty() && kept_bytes + bytes > kMaxKeptBytes) return {};
    kept_bytes += bytes;
    std::vector<Tensor> copies;
    for (const Tensor& output : outputs) {
      EDGEWRIGHT_ASSIGN(Tensor copy, clone(output));
      copies.push_back(std::move(copy));
    }
    result.outputs_.push_back(std::move(copies));
    result.samples_.push_back(sample);
    if (!labels.empty()) result.labels_.push_back(labels[sample]);
    return {};
  };
  EDGEWRIGHT_TRY(runner.run(original, samples, keep));
  return result;
}

bool measurably_better(const OutputQuality& candidate, const OutputQuality& other) {
  constexpr double kMostOfOther = 0.95;
  return candidate.relative_l2 < kMostOfOther * other.relative_l2;
}

Result<OutputQuality> OutputReference::compare(const Graph& candidate) const {
  Sums sums;
  size_t position = 0;
  const auto add = [&](size_t, std::span<const Tensor> outputs) -> Status {
    const auto& reference = outputs_[position];
    if (outputs.size() < reference.size()) return internal_error("the candidate lost outputs");
    for (size_t i = 0; i < reference.size(); ++i) sums.add_pair(reference[i], outputs[i]);
    const int64_t* label = labels_.empty() ? nullptr : &labels_[position];
    if (!reference.empty()) sums.add_top1(reference[0], outputs[0], label);
    ++position;
    return {};
  };
  EDGEWRIGHT_TRY(runner_->run(candidate, samples_, add));
  OutputQuality quality;
  quality.samples = samples_.size();
  quality.relative_l2 = std::sqrt(sums.squared_error / std::max(sums.squared_reference, 1e-30));
  if (!std::isfinite(quality.relative_l2)) {
    quality.relative_l2 = std::numeric_limits<double>::infinity();
  }
  quality.agreement = share(sums.agreeing, sums.positions);
  if (sums.labelled > 0) {
    quality.top1 = share(sums.right, sums.labelled);
    quality.reference_top1 = share(sums.reference_right, sums.labelled);
  }
  return quality;
}

}  // namespace edgewright
