#include "llm/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgewright {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

struct Ranked {
  float probability;
  int token;
};
bool is_before(const Ranked& a, const Ranked& b) {
  return a.probability != b.probability ? a.probability > b.probability : a.token < b.token;
}

// So many of the likeliest tokens are put in order first, and twice as many while they do not hold
// the share asked for: to put thousands in order takes longer than a small model takes for a token.
constexpr size_t kFirstRanked = 64;

using RankedAt = std::vector<Ranked>::iterator;

// The first ones up to `middle` in order. A heap of a few seldom changes; of many it often does.
void put_first(RankedAt begin, RankedAt middle, RankedAt end) {
  if (middle - begin <= static_cast<ptrdiff_t>(kFirstRanked)) {
    std::partial_sort(begin, middle, end, is_before);
    return;
  }
  std::nth_element(begin, middle - 1, end, is_before);
  std::sort(begin, middle, is_before);
}

// Keeps the likeliest tokens by top-k and top-p.
void cut(std::span<float> probabilities, const Sampling& sampling) {
  const size_t size = probabilities.size();
  const size_t k = sampling.top_k > 0 ? std::min(size, static_cast<size_t>(sampling.top_k)) : size;
  if (k == size && sampling.top_p >= 1) return;
  std::vector<Ranked> order(size);
  for (size_t i = 0; i < size; ++i) order[i] = {probabilities[i], static_cast<int>(i)};
  const auto at = [&](size_t i) { return order.begin() + static_cast<ptrdiff_t>(i); };
  if (k < size) put_first(at(0), at(k), order.end());
  size_t kept = k;
  if (sampling.top_p < 1) {
    double total = 0, sum = 0;
    for (size_t i = 0; i < k; ++i) total += order[i].probability;
    kept = 0;
    size_t ranked = k < size ? k : 0;
    for (; kept < k && (kept == 0 || sum < sampling.top_p * total); ++kept) {
      if (kept == ranked) {
        ranked = std::min(k, std::max(kFirstRanked, 2 * ranked));
        put_first(at(kept), at(ranked), at(k));
      }
      sum += order[kept].probability;
    }
  }
  std::ranges::fill(probabilities, 0.0f);
  for (size_t i = 0; i < kept; ++i) {
    probabilities[static_cast<size_t>(order[i].token)] = order[i].probability;
  }
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
