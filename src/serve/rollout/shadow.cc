#include "serve/rollout/shadow.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

size_t top(std::span<const float> scores) {
  return static_cast<size_t>(std::ranges::max_element(scores) - scores.begin());
}

double log_sum_exp(std::span<const float> scores) {
  const double largest = std::ranges::max(scores);
  double sum = 0;
  for (const float score : scores) sum += std::exp(static_cast<double>(score) - largest);
  return largest + std::log(sum);
}

ShadowVerdict verdict_of(const ShadowTest& test, const ShadowState& state) {
  if (test.refused_divergence > 0 && state.requests >= test.few_requests &&
      state.mean_divergence() > test.refused_divergence) {
    return ShadowVerdict::kWorse;
  }
  if (state.log_ratio >= std::log((1 - test.missed) / test.false_alarm)) {
    return ShadowVerdict::kWorse;
  }
  if (state.log_ratio <= std::log(test.missed / (1 - test.false_alarm))) {
    return ShadowVerdict::kEqual;
  }
  if (state.requests < test.most_requests) return ShadowVerdict::kUndecided;
  return state.log_ratio > 0 ? ShadowVerdict::kWorse : ShadowVerdict::kEqual;
}

}  // namespace

double ShadowState::agreement() const {
  return requests == 0 ? 1 : 1 - static_cast<double>(flips) / static_cast<double>(requests);
}
double ShadowState::mean_divergence() const {
  return requests == 0 ? 0 : divergence_sum / static_cast<double>(requests);
}
double ShadowState::latency_ratio() const {
  return service_ms_sum > 0 ? candidate_ms_sum / service_ms_sum : 1;
}

double divergence(std::span<const float> a, std::span<const float> b) {
  if (a.empty() || a.size() != b.size()) return 0;
  const double norm_a = log_sum_exp(a), norm_b = log_sum_exp(b);
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double log_a = static_cast<double>(a[i]) - norm_a;
    const double log_b = static_cast<double>(b[i]) - norm_b;
    sum += std::exp(log_a) * (log_a - log_b);
  }
  return std::max(0.0, sum);
}

ShadowState observe(const ShadowTest& test, ShadowState state, const ShadowPair& pair) {
  // An answer of another shape, or none, is a different answer.
  const bool comparable = !pair.service.empty() && pair.service.size() == pair.candidate.size();
  const bool flipped = !comparable || top(pair.service) != top(pair.candidate);
  ++state.requests;
  state.flips += flipped ? 1 : 0;
  state.divergence_sum += divergence(pair.service, pair.candidate);
  state.service_ms_sum += pair.service_ms;
  state.candidate_ms_sum += pair.candidate_ms;
  state.log_ratio += flipped ? std::log(test.refused_flips / test.tolerated_flips)
                             : std::log((1 - test.refused_flips) / (1 - test.tolerated_flips));
  if (state.verdict == ShadowVerdict::kUndecided) state.verdict = verdict_of(test, state);
  return state;
}

}  // namespace edgewright
