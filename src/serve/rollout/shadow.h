#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace edgewright {

// A candidate that gets copies of requests and whose answers nobody sees, against the model in
// service. Decided by Wald's sequential test on the share of top answers that differ (Wald,
// "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics 1945).
struct ShadowTest {
  double tolerated_flips = 0.02;  // a candidate with this share or less is as good
  double refused_flips = 0.06;    // one with this share or more is not
  double false_alarm = 0.02;      // probability of refusing a good one
  double missed = 0.02;           // probability of accepting a bad one
  int64_t most_requests = 300;    // then the likelier of the two
  // Refused at once when the mean divergence KL(service || candidate) of the answers' distributions
  // exceeds this after `few_requests`; 0: not looked at.
  double refused_divergence = 0;
  int64_t few_requests = 30;
};

enum class ShadowVerdict : uint8_t { kUndecided, kEqual, kWorse };

// What was seen so far; a plain value.
struct ShadowState {
  int64_t requests = 0, flips = 0;
  double log_ratio = 0;  // of the likelihoods: worse over equal
  double divergence_sum = 0;
  double service_ms_sum = 0, candidate_ms_sum = 0;
  ShadowVerdict verdict = ShadowVerdict::kUndecided;

  double agreement() const;
  double mean_divergence() const;
  double latency_ratio() const;  // candidate / service; 1 when nothing was timed
};

struct ShadowPair {
  std::span<const float> service, candidate;  // scores of the classes, not yet probabilities
  double service_ms = 0, candidate_ms = 0;
};
// KL(softmax(a) || softmax(b)) in nats.
double divergence(std::span<const float> a, std::span<const float> b);
// The state after one more pair; a decided state keeps its verdict and goes on counting.
ShadowState observe(const ShadowTest& test, ShadowState state, const ShadowPair& pair);

}  // namespace edgewright
