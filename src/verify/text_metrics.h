#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace edgewright {

// Sequences of tokens: words, or token ids as text.
using Tokens = std::vector<std::string>;

// Words between white space.
Tokens split_words(const std::string& text);

// Corpus BLEU with one reference a sentence, in percent: geometric mean of the 1- to 4-gram
// precisions with exponential smoothing of those that are zero, times the brevity penalty
// (Papineni et al. 2002; smoothing method 3 of Chen and Cherry 2014, the default of sacrebleu).
double bleu(const std::vector<Tokens>& candidates, const std::vector<Tokens>& references);

// ROUGE-L: F1 of the longest common subsequence (Lin 2004), mean over sentences, 0 to 1.
double rouge_l(const std::vector<Tokens>& candidates, const std::vector<Tokens>& references);

}  // namespace edgewright
