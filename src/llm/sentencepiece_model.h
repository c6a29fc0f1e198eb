#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace edgewright {

// What a serialised SentencePiece model says (sentencepiece_model.proto of the project).
struct SentencePieceModel {
  enum Type { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
  struct Piece {
    std::string text;
    float score = 0;
    int type = kNormal;
  };
  std::vector<Piece> pieces;
  bool unigram = true;  // else byte-pair merges
  bool byte_fallback = false;
  bool space_is_suffix = false;
  bool dummy_prefix = true, remove_extra_spaces = true, escape_spaces = true;
  std::string character_map;
};
// Malformed or damaged: bad input. Word and character models: unsupported.
Result<SentencePieceModel> parse_sentencepiece(std::string_view serialised);
// The same form again, for tokens that come from elsewhere (GGUF files).
std::string serialise_sentencepiece(const SentencePieceModel& model);

// Bytes of the UTF-8 character at the beginning; 0 when it is malformed.
size_t utf8_length(std::string_view text);

// The longest of a set of strings that a text begins with.
class PrefixSet {
 public:
  void add(const std::string& text);
  size_t match(std::string_view text) const;  // bytes; 0: none

 private:
  std::unordered_map<char, std::vector<std::string>> by_first_;
};

// The normaliser of SentencePiece: replaces characters by a compiled map, removes extra spaces,
// writes spaces as U+2581.
std::string normalise(const SentencePieceModel& model, const PrefixSet& user_defined,
                      std::string_view text);

// The byte that a piece such as "<0x0A>" stands for; -1 for any other.
int byte_of(const SentencePieceModel::Piece& piece);

}  // namespace edgewright
