#include "llm/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace edgewright {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Tokens by falling probability, as many as may be needed.
std::vector<int> ranked(std::span<const float> probabilities, size_t count) {
  std::vector<int> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, order.size());
  const auto more = [&](int a, int b) {
    const float pa = probabilities[static_cast<size_t>(a)];
    const float pb = probabilities[static_cast<size_t>(b)];
    return pa != pb ? pa > pb : a < b;
  };
  std::ranges::partial_sort(order, order.begin() + static_cast<ptrdiff_t>(count), more);
  order.resize(count);
  return order;
}

// Keeps the likeliest tokens by top-k and top-p.
void cut(std::span<float> probabilities, const Sampling& sampling) {
  const size_t size = probabilities.size();
  const size_t k = sampling.top_k > 0 ? std::min(size, static_cast<size_t>(sampling.top_k)) : size;
  if (k == size && sampling.top_p >= 1) return;
  const std::vector<int> order = ranked(probabilities, k);
  double total = 0;
  for (const int token : order) total += probabilities[static_cast<size_t>(token)];
  std::vector<float> kept(size, 0.0f);
  double sum = 0;
  for (const int token : order) {
    const float p = probabilities[static_cast<size_t>(token)];
    kept[static_cast<size_t>(token)] = p;
    sum += p;
    if (sum >= sampling.top_p * total) break;
  }
  std::ranges::copy(kept, probabilities.begin());
}

}  // namespace

double uniform(uint64_t seed, uint64_t index, uint64_t stream) {
  const uint64_t bits = mix(mix(mix(seed) ^ index) ^ (stream * 0xd6e8feb86659fd93));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

void penalise(std::span<float> logits, std::span<const int> seen, float penalty) {
  if (penalty == 1) return;
  std::vector<bool> done(logits.size(), false);
  for (const int token : seen) {
    const auto at = static_cast<size_t>(token);
    if (at >= logits.size() || done[at]) continue;
    done[at] = true;
    logits[at] = logits[at] > 0 ? logits[at] / penalty : logits[at] * penalty;
  }
}

// The maximum first, in lanes that compilers make vectors of, then its place.
int likeliest(std::span<const float> logits) {
  constexpr size_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) {
      lanes[l] = logits[i + l] > lanes[l] ? logits[i + l] : lanes[l];
    }
  }
  float largest = *std::ranges::max_element(lanes);
  for (; i < logits.size(); ++i) largest = std::max(largest, logits[i]);
  const auto found = std::ranges::find(logits, largest);
  return found == logits.end() ? 0 : static_cast<int>(found - logits.begin());
}

void distribution(std::span<const float> logits, const Sampling& sampling,
                  std::span<float> probabilities) {
  if (sampling.greedy()) {
    std::ranges::fill(probabilities, 0.0f);
    probabilities[static_cast<size_t>(likeliest(logits))] = 1;
    return;
  }
  const float largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    probabilities[i] = std::exp((logits[i] - largest) / sampling.temperature);
    sum += probabilities[i];
  }
  cut(probabilities, sampling);
  // The likeliest token has weight 1 before the division.
  sum = 0;
  for (float& p : probabilities) {
    if (p < sampling.min_p) p = 0;
    sum += p;
  }
  for (float& p : probabilities) p = static_cast<float>(p / sum);
}

int draw(std::span<const float> probabilities, double point) {
  double sum = 0;
  int last = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] <= 0) continue;
    last = static_cast<int>(i);
    sum += probabilities[i];
    if (point < sum) return last;
  }
  // Rounding may leave the sum just below the point.
  return last;
}

double log_probability(std::span<const float> logits, int token) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return logits[static_cast<size_t>(token)] - largest - std::log(sum);
}

int sample(std::span<float> logits, std::span<const int> seen, const Sampling& sampling,
           uint64_t index, std::vector<float>& scratch) {
  penalise(logits, seen, sampling.repetition_penalty);
  if (sampling.greedy()) return likeliest(logits);
  scratch.resize(logits.size());
  distribution(logits, sampling, scratch);
  return draw(scratch, uniform(sampling.seed, index));
}

}  // namespace edgewright
