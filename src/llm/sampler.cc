#include "llm/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels/language/rows.h"

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
  float weight;
  int token;
};
bool is_before(const Ranked& a, const Ranked& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

using RankedAt = std::vector<Ranked>::iterator;

constexpr size_t kLanes = 16;  // of loops that compilers make vectors of

double sum_of(std::span<const float> values) {
  constexpr size_t kSums = 8;
  double sums[kSums] = {};
  size_t i = 0;
  for (; i + kSums <= values.size(); i += kSums) {
    for (size_t l = 0; l < kSums; ++l) sums[l] += static_cast<double>(values[i + l]);
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  for (; i < values.size(); ++i) sum += static_cast<double>(values[i]);
  return sum;
}

constexpr size_t kBlock = 64;  // tokens that are looked at together
template <class T>
std::span<T> block_at(std::span<T> weights, size_t first) {
  return weights.subspan(first, std::min(kBlock, weights.size() - first));
}

// No weight below it is among the `count` largest: so many runs of weights have one that large.
float least_of_largest(std::span<const float> weights, size_t count) {
  std::vector<float> largest;
  for (size_t first = 0; first < weights.size(); first += kLanes) {
    const size_t count_here = std::min(kLanes, weights.size() - first);
    largest.push_back(largest_of(weights.subspan(first, count_here)));
  }
  if (largest.size() < count) return 0;
  const auto at = largest.begin() + static_cast<ptrdiff_t>(count - 1);
  std::ranges::nth_element(largest, at, std::greater());
  return *at;
}

// Tokens of at least that weight.
std::vector<Ranked> ranked_from(float least, std::span<const float> weights) {
  std::vector<Ranked> taken;
  for (size_t first = 0; first < weights.size(); first += kBlock) {
    const auto block = block_at(weights, first);
    if (largest_of(block) < least) continue;
    for (size_t i = 0; i < block.size(); ++i) {
      if (block[i] >= least) taken.push_back({block[i], static_cast<int>(first + i)});
    }
  }
  return taken;
}

double weight_of(RankedAt begin, RankedAt end) {
  double sum = 0;
  for (; begin != end; ++begin) sum += static_cast<double>(begin->weight);
  return sum;
}

// The end of the fewest first tokens, at least one, that weigh so much together; by halves, of
// which only the one that holds it is gone on with.
RankedAt end_of_share(std::vector<Ranked>& ranked, double share) {
  RankedAt begin = ranked.begin(), end = ranked.end();
  while (end - begin > 1) {
    const RankedAt middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, is_before);
    const double weight = weight_of(begin, middle);
    if (weight >= share) {
      end = middle;
    } else {
      share -= weight;
      begin = middle;
    }
  }
  return end;
}

// Keeps the likeliest tokens by top-k, top-p and min-p; the sum of what is left. Almost all tokens
// are left out by a bound before any are put in order.
double cut(std::span<float> weights, double total, const Sampling& sampling) {
  const size_t size = weights.size();
  const size_t k = sampling.top_k > 0 ? std::min(size, static_cast<size_t>(sampling.top_k)) : size;
  // All those below an equal part of what top-p leaves out do not weigh that much together.
  const double part = 0.99 * (1 - static_cast<double>(sampling.top_p)) * total;
  const float bound =
      k < size ? least_of_largest(weights, k)
               : std::max(sampling.min_p, static_cast<float>(part / static_cast<double>(size)));
  std::vector<Ranked> ranked = ranked_from(bound, weights);
  if (ranked.size() > k) {
    std::nth_element(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(k), ranked.end(),
                     is_before);
    ranked.resize(k);
  }
  if (sampling.top_p < 1) {
    if (k < size) total = weight_of(ranked.begin(), ranked.end());
    ranked.erase(end_of_share(ranked, static_cast<double>(sampling.top_p) * total), ranked.end());
  }
  std::erase_if(ranked, [&](const Ranked& token) { return token.weight < sampling.min_p; });
  std::ranges::fill(weights, 0.0f);
  for (const Ranked& token : ranked) weights[static_cast<size_t>(token.token)] = token.weight;
  return weight_of(ranked.begin(), ranked.end());
}

// Weights that are as the probabilities of what is drawn from; returns their sum. The likeliest
// token weighs 1.
double weigh(std::span<const float> logits, const Sampling& sampling, std::span<float> weights) {
  // Finite, so that the likeliest token's weight is 1 at every temperature.
  const float factor = std::min(1 / sampling.temperature, std::numeric_limits<float>::max());
  const double total = language::exponentials(logits.data(), largest_of(logits), factor,
                                              logits.size(), weights.data());
  if (sampling.top_k <= 0 && sampling.top_p >= 1 && sampling.min_p <= 0) return total;
  return cut(weights, total, sampling);
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

float largest_of(std::span<const float> logits) {
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
  return largest;
}

// The maximum first, then its place.
int likeliest(std::span<const float> logits) {
  const auto found = std::ranges::find(logits, largest_of(logits));
  return found == logits.end() ? 0 : static_cast<int>(found - logits.begin());
}

void distribution(std::span<const float> logits, const Sampling& sampling,
                  std::span<float> probabilities) {
  if (sampling.greedy()) {
    std::ranges::fill(probabilities, 0.0f);
    probabilities[static_cast<size_t>(likeliest(logits))] = 1;
    return;
  }
  const auto factor = static_cast<float>(1 / weigh(logits, sampling, probabilities));
  for (float& p : probabilities) p *= factor;
}

// Whole blocks are passed by their sums.
int draw(std::span<const float> probabilities, double point) {
  double sum = 0;
  size_t held = 0;  // the last block that weighs anything
  for (size_t first = 0; first < probabilities.size(); first += kBlock) {
    const auto block = block_at(probabilities, first);
    const double weight = sum_of(block);
    if (weight > 0) held = first;
    if (sum + weight <= point) {
      sum += weight;
      continue;
    }
    for (size_t i = 0; i < block.size(); ++i) {
      sum += static_cast<double>(block[i]);
      if (point < sum) return static_cast<int>(first + i);
    }
  }
  // Rounding may leave the sum just below the point.
  const auto block = block_at(probabilities, held);
  const auto last = std::find_if(block.rbegin(), block.rend(), [](float p) { return p > 0; });
  return static_cast<int>(held) + std::max(0, static_cast<int>(block.rend() - last) - 1);
}

double log_probability(std::span<const float> logits, int token) {
  return likelihood(logits, token, 0).log_probability;
}

Likelihood likelihood(std::span<const float> logits, int token, int count) {
  const float largest = largest_of(logits);
  std::vector<float> weights(logits.size());
  const double log_sum =
      std::log(language::exponentials(logits.data(), largest, 1, logits.size(), weights.data()));
  const auto chance = [&](int of) {
    return static_cast<double>(logits[static_cast<size_t>(of)] - largest) - log_sum;
  };
  Likelihood found{chance(token), {}};
  if (count <= 0) return found;
  const size_t wanted = std::min(static_cast<size_t>(count), logits.size());
  std::vector<Ranked> ranked = ranked_from(least_of_largest(weights, wanted), weights);
  std::ranges::sort(ranked, is_before);
  ranked.resize(std::min(ranked.size(), wanted));
  for (const Ranked& each : ranked) found.likeliest.push_back({each.token, chance(each.token)});
  return found;
}

int sample(std::span<float> logits, std::span<const int> seen, const Sampling& sampling,
           uint64_t index, std::vector<float>& scratch) {
  penalise(logits, seen, sampling.repetition_penalty);
  if (sampling.greedy()) return likeliest(logits);
  scratch.resize(logits.size());
  const double total = weigh(logits, sampling, scratch);
  return draw(scratch, uniform(sampling.seed, index) * total);
}

}  // namespace edgewright
