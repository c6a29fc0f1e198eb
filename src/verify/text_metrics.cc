#include "verify/text_metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

namespace edgewright {
namespace {

constexpr size_t kMaxOrder = 4;

std::map<Tokens, int64_t> ngrams(const Tokens& tokens, size_t order) {
  std::map<Tokens, int64_t> counts;
  for (size_t i = 0; i + order <= tokens.size(); ++i) {
    counts[Tokens(tokens.begin() + static_cast<ptrdiff_t>(i),
                  tokens.begin() + static_cast<ptrdiff_t>(i + order))] += 1;
  }
  return counts;
}

size_t longest_common_subsequence(const Tokens& a, const Tokens& b) {
  std::vector<size_t> row(b.size() + 1, 0);
  for (const std::string& token : a) {
    size_t diagonal = 0;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = token == b[j - 1] ? diagonal + 1 : std::max(row[j], row[j - 1]);
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Tokens split_words(const std::string& text) {
  std::istringstream stream(text);
  Tokens words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

double bleu(const std::vector<Tokens>& candidates, const std::vector<Tokens>& references) {
  int64_t matches[kMaxOrder] = {}, totals[kMaxOrder] = {};
  double candidate_length = 0, reference_length = 0;
  for (size_t s = 0; s < candidates.size(); ++s) {
    candidate_length += static_cast<double>(candidates[s].size());
    reference_length += static_cast<double>(references[s].size());
    for (size_t order = 1; order <= kMaxOrder; ++order) {
      const auto expected = ngrams(references[s], order);
      for (const auto& [ngram, count] : ngrams(candidates[s], order)) {
        totals[order - 1] += count;
        const auto it = expected.find(ngram);
        if (it != expected.end()) matches[order - 1] += std::min(count, it->second);
      }
    }
  }
  if (matches[0] == 0) return 0;
  double log_sum = 0, smoothing = 1;
  for (size_t i = 0; i < kMaxOrder; ++i) {
    if (totals[i] == 0) return 0;
    if (matches[i] == 0) smoothing *= 2;
    const double hits = matches[i] == 0 ? 1 / smoothing : static_cast<double>(matches[i]);
    log_sum += std::log(hits / static_cast<double>(totals[i]));
  }
  const double brevity =
      candidate_length < reference_length ? std::exp(1 - reference_length / candidate_length) : 1;
  return 100 * brevity * std::exp(log_sum / kMaxOrder);
}

double rouge_l(const std::vector<Tokens>& candidates, const std::vector<Tokens>& references) {
  double sum = 0;
  for (size_t s = 0; s < candidates.size(); ++s) {
    const auto common =
        static_cast<double>(longest_common_subsequence(references[s], candidates[s]));
    // F1 = 2PR / (P + R) with P = common / |candidate| and R = common / |reference|.
    const size_t lengths = candidates[s].size() + references[s].size();
    if (lengths > 0) sum += 2 * common / static_cast<double>(lengths);
  }
  return candidates.empty() ? 0 : sum / static_cast<double>(candidates.size());
}

}  // namespace edgewright
