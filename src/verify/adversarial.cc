#include "verify/adversarial.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace edgewright {
namespace {

double standard_deviation(const Tensor& tensor) {
  const auto values = tensor.elements<float>();
  double mean = 0, squares = 0;
  for (const float value : values) mean += value / static_cast<double>(values.size());
  for (const float value : values) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
  return deviation > 0 ? deviation : 1;
}

bool can_change(const Datum& datum) {
  return datum.is_tensor() && datum.tensor().dtype() == DType::kFloat32 &&
         datum.tensor().element_count() > 0;
}

// One sign for every element of the inputs that can change; the same for the same state.
std::vector<std::vector<float>> random_signs(const std::vector<Datum>& sample,
                                             std::mt19937_64& random) {
  std::vector<std::vector<float>> signs(sample.size());
  for (size_t i = 0; i < sample.size(); ++i) {
    if (!can_change(sample[i])) continue;
    signs[i].resize(static_cast<size_t>(sample[i].tensor().element_count()));
    for (float& sign : signs[i]) sign = (random() >> 63) != 0 ? 1.0f : -1.0f;
  }
  return signs;
}

// sample + step * deviation of each input * signs.
Result<std::vector<Datum>> moved(const std::vector<Datum>& sample,
                                 const std::vector<std::vector<float>>& signs, double step) {
  std::vector<Datum> result = sample;
  for (size_t i = 0; i < sample.size(); ++i) {
    if (signs[i].empty()) continue;
    EDGEWRIGHT_ASSIGN(Tensor tensor, clone(sample[i].tensor()));
    const auto amount = static_cast<float>(step * standard_deviation(tensor));
    float* values = tensor.mutable_data<float>();
    for (size_t e = 0; e < signs[i].size(); ++e) values[e] += amount * signs[i][e];
    result[i] = std::move(tensor);
  }
  return result;
}

Result<double> worst_error(Subject& reference, Subject& candidate,
                           const std::vector<Datum>& inputs) {
  EDGEWRIGHT_ASSIGN(const auto expected, reference.run(inputs, nullptr));
  EDGEWRIGHT_ASSIGN(const auto found, candidate.run(inputs, nullptr));
  double worst = 0;
  for (size_t i = 0; i < std::min(expected.size(), found.size()); ++i) {
    DifferenceGatherer gatherer;
    EDGEWRIGHT_TRY(gatherer.add(expected[i], found[i]));
    worst = std::max(worst, gatherer.difference().relative_l2);
  }
  return worst;
}

// The central difference of each float32 output along one direction.
Result<std::vector<Tensor>> derivatives(Subject& subject, const std::vector<Datum>& ahead,
                                        const std::vector<Datum>& behind, double step) {
  EDGEWRIGHT_ASSIGN(const auto after, subject.run(ahead, nullptr));
  EDGEWRIGHT_ASSIGN(const auto before, subject.run(behind, nullptr));
  std::vector<Tensor> result;
  for (size_t i = 0; i < after.size(); ++i) {
    if (!can_change(after[i]) || !can_change(before[i])) continue;
    if (after[i].tensor().dims() != before[i].tensor().dims()) continue;
    EDGEWRIGHT_ASSIGN(Tensor slope, clone(after[i].tensor()));
    float* values = slope.mutable_data<float>();
    const float* others = before[i].tensor().data<float>();
    for (int64_t e = 0; e < slope.element_count(); ++e) {
      values[e] = static_cast<float>((values[e] - others[e]) / (2 * step));
    }
    result.push_back(std::move(slope));
  }
  return result;
}

}  // namespace

Result<AdversarialResult> search_adversarial(Subject& reference, Subject& candidate,
                                             const std::vector<Datum>& sample,
                                             const AdversarialOptions& options) {
  std::mt19937_64 random(options.seed + 1);
  AdversarialResult result;
  result.inputs = sample;
  EDGEWRIGHT_ASSIGN(result.relative_l2, worst_error(reference, candidate, sample));
  for (int round = 1; round < options.rounds; ++round) {
    EDGEWRIGHT_ASSIGN(auto inputs, moved(sample, random_signs(sample, random), options.radius));
    EDGEWRIGHT_ASSIGN(const double error, worst_error(reference, candidate, inputs));
    if (error <= result.relative_l2) continue;
    result.relative_l2 = error;
    result.inputs = std::move(inputs);
  }
  return result;
}

Result<Difference> compare_derivatives(Subject& reference, Subject& candidate,
                                       const std::vector<Datum>& sample, int directions,
                                       uint64_t seed) {
  constexpr double kStep = 1e-2;
  std::mt19937_64 random(seed + 2);
  DifferenceGatherer gatherer;
  for (int i = 0; i < directions; ++i) {
    const auto signs = random_signs(sample, random);
    EDGEWRIGHT_ASSIGN(const auto ahead, moved(sample, signs, kStep));
    EDGEWRIGHT_ASSIGN(const auto behind, moved(sample, signs, -kStep));
    EDGEWRIGHT_ASSIGN(const auto expected, derivatives(reference, ahead, behind, kStep));
    EDGEWRIGHT_ASSIGN(const auto found, derivatives(candidate, ahead, behind, kStep));
    for (size_t o = 0; o < std::min(expected.size(), found.size()); ++o) {
      EDGEWRIGHT_TRY(gatherer.add(expected[o], found[o]));
    }
  }
  return gatherer.difference();
}

}  // namespace edgewright
