#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace edgewright {

// A regular expression over UTF-8 (PCRE2). Bytes that are no UTF-8 match nothing.
class SplitPattern {
 public:
  static Result<SplitPattern> compile(const std::string& expression);
  // As a fixed string.
  static SplitPattern literal(std::string text);

  struct Match {
    size_t begin, end;
  };
  // All matches from left to right, empty ones left out. A text that costs too many steps has no
  // further matches.
  std::vector<Match> matches(std::string_view text) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
  std::string literal_;
};

// One step that cuts words into smaller words, as tokenizer.json's "pre_tokenizer" describes it.
struct PreTokenizerStep {
  enum class Kind : uint8_t { kSplit, kByteLevel, kMetaspace };
  enum class Behaviour : uint8_t { kIsolated, kRemoved, kWithPrevious, kWithNext, kContiguous };
  Kind kind = Kind::kSplit;
  SplitPattern pattern;
  bool has_pattern = false;
  Behaviour behaviour = Behaviour::kIsolated;
  bool invert = false;            // matches and gaps change places
  bool add_prefix_space = false;  // kByteLevel, kMetaspace: a word begins with a space
  std::string mark;               // kMetaspace: what stands for a space
};

// "null", one step or a "Sequence". Unknown kinds are unsupported by name.
Result<std::vector<PreTokenizerStep>> parse_pre_tokenizer(const Json& json);

// Words of a text after all steps. `first`: whether it is the beginning of the whole text.
std::vector<std::string> pre_tokenize(const std::vector<PreTokenizerStep>& steps,
                                      std::string_view text, bool first);

// The characters that stand for single bytes in byte-level vocabularies (GPT-2): printable ones for
// themselves, the others from U+0100 on.
std::string bytes_to_characters(std::string_view bytes);
// The inverse; characters that stand for no byte are kept.
std::string characters_to_bytes(std::string_view text);

}  // namespace edgewright
