#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace edgewright {

// A tokenizer.json. The vocabulary is kept apart: its many entries would make a slow object.
struct TokenizerJson {
  Json rest;  // "model" has an empty "vocab"
  std::vector<std::pair<std::string, Json>> vocabulary;
};
Result<TokenizerJson> parse_tokenizer_json(std::string_view text);

// Byte-pair encoding of words over a vocabulary of strings (Sennrich et al. 2016), as
// tokenizer.json's "model" of type BPE describes it.
class BytePairs {
 public:
  static Result<BytePairs> parse(const TokenizerJson& json);
  // Appends the tokens of one word.
  void encode(std::string_view word, std::vector<int>& tokens) const;
  int size() const { return static_cast<int>(texts_.size()); }
  const std::string& text(int token) const { return texts_[static_cast<size_t>(token)]; }
  int find(std::string_view text) const;
  bool byte_fallback() const { return byte_fallback_; }

 private:
  struct Merge {
    int rank, token;
  };
  Status add_merge(std::string_view left, std::string_view right);
  void add_unknown(std::string_view character, bool& after_unknown, std::vector<int>& tokens) const;

  std::vector<std::string> texts_;
  std::unordered_map<std::string, int> ids_;
  std::unordered_map<uint64_t, Merge> merges_;  // left token << 32 | right token
  int unknown_ = -1;
  bool byte_fallback_ = false, ignore_merges_ = false, fuse_unknown_ = false;
};

}  // namespace edgewright
