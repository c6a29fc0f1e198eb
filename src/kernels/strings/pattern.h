// Regular expressions for RegexFullMatch, matched in time proportional to pattern times text.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace edgewright::reference {

// A pattern in the syntax of RE2 (docs of google/re2, "Syntax"): literals, '.', classes such as
// [^a-z\d], the escapes \d \D \s \S \w \W \b \B \n \r \t \f \v \a \xHH \x{H...}, groups (...),
// (?:...), (?P<name>...) and (?i), alternation, and the repetitions * + ? {m} {m,} {m,n}, lazy or
// not. Text and pattern are UTF-8. Other constructs are kUnsupported, broken ones kBadInput.
class Pattern {
 public:
  static Result<Pattern> compile(std::string_view text);
  // Whether the pattern matches the whole text.
  bool matches(std::string_view text) const;

  // One step of the automaton.
  struct Step {
    enum class Kind : uint8_t { kSet, kSplit, kJump, kBegin, kEnd, kWord, kNoWord, kMatch };
    Kind kind = Kind::kMatch;
    int32_t next = 0;   // step after this one
    int32_t other = 0;  // kSplit: the second way
    bool negated = false;
    std::vector<std::pair<char32_t, char32_t>> ranges;  // kSet: code points, both ends included
  };

 private:
  std::vector<Step> steps_;  // starts at 0
};

// Code points of UTF-8 text; bytes that are no UTF-8 stand for themselves.
std::vector<char32_t> code_points(std::string_view text);

}  // namespace edgewright::reference
