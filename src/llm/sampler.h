#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace edgewright {

// How the next token is chosen. In this order: repetition penalty, temperature, top-k, top-p,
// min-p, then a draw.
struct Sampling {
  float temperature = 0;         // 0: the most likely token, whatever the rest says
  int top_k = 0;                 // 0: all
  float top_p = 1;               // the fewest tokens that hold this share (Holtzman et al. 2020)
  float min_p = 0;               // tokens at least this times as likely as the likeliest
  float repetition_penalty = 1;  // positive logits of seen tokens are divided by it, others
                                 // multiplied (Keskar et al. 2019)
  uint64_t seed = 0;

  bool greedy() const { return temperature <= 0; }
};

// A uniform number in [0, 1) that depends on nothing but its arguments, so that a request draws the
// same numbers whatever runs beside it. `stream` keeps draws of different kinds apart.
double uniform(uint64_t seed, uint64_t index, uint64_t stream = 0);

// Changes logits of tokens that were seen.
void penalise(std::span<float> logits, std::span<const int> seen, float penalty);
// The largest logit; minus infinity where none is a number.
float largest_of(std::span<const float> logits);
// The token of the largest logit, the first of equals.
int likeliest(std::span<const float> logits);
// The distribution that is drawn from: zero for tokens that were cut off, the others sum to 1.
// Greedy: 1 for the likeliest. probabilities.size() == logits.size().
void distribution(std::span<const float> logits, const Sampling& sampling,
                  std::span<float> probabilities);
// The token where the running sum of probabilities passes `point`.
int draw(std::span<const float> probabilities, double point);
// ln of the softmax of one token.
double log_probability(std::span<const float> logits, int token);

// A token and ln of its probability.
struct TokenChance {
  int token = -1;
  double log_probability = 0;
};
// What the model says of a token that stands in a text.
struct Likelihood {
  double log_probability = 0;
  std::vector<TokenChance> likeliest;  // that could stand there, in order
};
// Of a token and the `count` likeliest ones, by the softmax of the logits.
Likelihood likelihood(std::span<const float> logits, int token, int count);

// Penalty, distribution and draw number `index`.
int sample(std::span<float> logits, std::span<const int> seen, const Sampling& sampling,
           uint64_t index, std::vector<float>& scratch);

}  // namespace edgewright
