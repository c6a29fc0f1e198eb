#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "llm/sentencepiece_model.h"

namespace edgewright {

// Cuts normalised text into pieces. Model and tables outlive it.
class SentencePieceEncoder {
 public:
  explicit SentencePieceEncoder(const SentencePieceModel& model);

  // Appends the tokens of a text that normalise() has been through.
  void encode(std::string_view normalised, std::vector<int>& tokens) const;
  const PrefixSet& user_defined() const { return user_defined_; }

 private:
  struct Span {
    std::string_view text;
    int id;
  };
  std::vector<Span> merge_pairs(std::string_view text) const;
  std::vector<Span> likeliest_path(std::string_view text) const;
  int id_of(std::string_view text) const;

  const SentencePieceModel& model_;
  std::unordered_map<std::string_view, int> ids_;       // that merges and paths may use
  std::unordered_map<std::string_view, int> reserved_;  // control, unknown and byte pieces
  PrefixSet user_defined_;
  std::vector<int> byte_ids_;
  int unknown_ = 0;
  size_t longest_ = 0;
  float unknown_score_ = 0, largest_score_ = 0;
};

}  // namespace edgewright
