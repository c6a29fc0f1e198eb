#include "kernels/strings/pattern_parser.h"

#include <algorithm>
#include <optional>

namespace edgewright::reference {
namespace {

using Step = Pattern::Step;
using Ranges = std::vector<std::pair<char32_t, char32_t>>;

constexpr size_t kMostSteps = size_t{1} << 17;
constexpr int kMostNesting = 200;
constexpr int kMostRepeats = 1000;  // as RE2 has it
constexpr char32_t kLastPoint = 0x10ffff;

// A piece of the automaton, steps numbered from its own start; the end is one past the last step.
using Fragment = std::vector<Step>;

void append(Fragment& to, const Fragment& from) {
  const auto offset = static_cast<int32_t>(to.size());
  for (Step step : from) {
    step.next += offset;
    step.other += offset;
    to.push_back(std::move(step));
  }
}

int32_t length_of(const Fragment& fragment) { return static_cast<int32_t>(fragment.size()); }

Fragment single(Step::Kind kind) { return {Step{kind, 1, 0, false, {}}}; }
Fragment set_of(Ranges ranges, bool negated) {
  return {Step{Step::Kind::kSet, 1, 0, negated, std::move(ranges)}};
}

Fragment alternative(const Fragment& a, const Fragment& b) {
  Fragment whole = {Step{Step::Kind::kSplit, 1, length_of(a) + 2, false, {}}};
  append(whole, a);
  whole.push_back(Step{Step::Kind::kJump, length_of(a) + length_of(b) + 2, 0, false, {}});
  append(whole, b);
  return whole;
}

Fragment optional_of(const Fragment& a) {
  Fragment whole = {Step{Step::Kind::kSplit, 1, length_of(a) + 1, false, {}}};
  append(whole, a);
  return whole;
}

Fragment star_of(const Fragment& a) {
  Fragment whole = {Step{Step::Kind::kSplit, 1, length_of(a) + 2, false, {}}};
  append(whole, a);
  whole.push_back(Step{Step::Kind::kJump, 0, 0, false, {}});
  return whole;
}

const Ranges kDigits = {{'0', '9'}};
const Ranges kSpaces = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
const Ranges kWords = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};

Ranges complement(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end());
  Ranges outside;
  char32_t next = 0;
  for (const auto& [first, last] : ranges) {
    if (first > next) outside.emplace_back(next, first - 1);
    next = std::max<char32_t>(next, last + 1);
  }
  if (next <= kLastPoint) outside.emplace_back(next, kLastPoint);
  return outside;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : points_(code_points(text)) {}

  Result<Fragment> parse() {
    EDGEWRIGHT_ASSIGN(Fragment whole, parse_alternatives(0));
    if (!at_end()) return broken("an unexpected ')'");
    whole.push_back(Step{Step::Kind::kMatch, 0, 0, false, {}});
    return whole;
  }

 private:
  bool at_end() const { return at_ == points_.size(); }
  bool sees(char32_t c) const { return !at_end() && points_[at_] == c; }
  bool take(char32_t c) {
    if (!sees(c)) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view text) {
    if (points_.size() - at_ < text.size()) return false;
    for (size_t i = 0; i < text.size(); ++i) {
      if (points_[at_ + i] != static_cast<uint8_t>(text[i])) return false;
    }
    at_ += text.size();
    return true;
  }
  Error broken(std::string_view what) const {
    return bad_input("regular expression: {} at character {}", what, at_);
  }

  Result<Fragment> parse_alternatives(int nesting) {
    if (nesting > kMostNesting) return broken("groups nested too deep");
    std::vector<Fragment> ways;
    do {
      EDGEWRIGHT_ASSIGN(Fragment way, parse_chain(nesting));
      ways.push_back(std::move(way));
    } while (take('|'));
    Fragment whole = std::move(ways.back());
    ways.pop_back();
    for (; !ways.empty(); ways.pop_back()) {
      whole = alternative(ways.back(), whole);
      if (whole.size() > kMostSteps) return broken("a pattern that is too large");
    }
    return whole;
  }

  Result<Fragment> parse_chain(int nesting) {
    Fragment chain;
    while (!at_end() && !sees('|') && !sees(')')) {
      EDGEWRIGHT_ASSIGN(Fragment piece, parse_atom(nesting));
      EDGEWRIGHT_ASSIGN(piece, parse_repeats(std::move(piece)));
      append(chain, piece);
      if (chain.size() > kMostSteps) return broken("a pattern that is too large");
    }
    return chain;
  }

  Result<Fragment> parse_repeats(Fragment piece) {
    for (bool first = true;; first = false) {
      int least = 0;
      int most = -1;  // without end
      if (take('*')) {
      } else if (take('+')) {
        least = 1;
      } else if (take('?')) {
        most = 1;
      } else if (!take_counts(least, most)) {
        return piece;
      }
      if (!first) return broken("a repetition of a repetition");
      if (least > kMostRepeats || most > kMostRepeats || (most != -1 && most < least)) {
        return broken("a repetition count out of range");
      }
      take('?');  // lazy or not, the set of full matches is the same
      EDGEWRIGHT_ASSIGN(piece, repeated(piece, least, most));
    }
  }

  Result<Fragment> repeated(const Fragment& piece, int least, int most) {
    const size_t copies = static_cast<size_t>(std::max(least, most)) + 1;
    if ((piece.size() + 2) * copies > kMostSteps) return broken("a pattern that is too large");
    Fragment whole;
    for (int i = 0; i < least; ++i) append(whole, piece);
    if (most == -1) append(whole, star_of(piece));
    Fragment tail;
    for (int i = least; i < most; ++i) append(tail, optional_of(piece));
    append(whole, tail);
    return whole;
  }

  // "{m}", "{m,}" or "{m,n}"; anything else leaves the brace as a literal.
  bool take_counts(int& least, int& most) {
    const size_t start = at_;
    if (!take('{')) return false;
    const auto low = take_number();
    auto high = low;
    bool open = false;
    if (low && take(',')) {
      high = take_number();
      open = !high;
    }
    if (!low || !take('}')) {
      at_ = start;
      return false;
    }
    least = *low;
    most = open ? -1 : *high;
    return true;
  }

  std::optional<int> take_number() {
    std::optional<int> value;
    while (!at_end() && points_[at_] >= '0' && points_[at_] <= '9') {
      value = std::min(value.value_or(0) * 10 + static_cast<int>(points_[at_++] - '0'), 100000);
    }
    return value;
  }

  Result<Fragment> parse_atom(int nesting) {
    const char32_t c = points_[at_];
    if (c == '(') return parse_group(nesting);
    if (c == '[') return parse_class();
    if (c == '\\') return parse_escape();
    if (c == '*' || c == '+' || c == '?') return broken("nothing to repeat");
    ++at_;
    if (c == '.') return set_of({{'\n', '\n'}}, true);
    if (c == '^') return single(Step::Kind::kBegin);
    if (c == '$') return single(Step::Kind::kEnd);
    return set_of(folded({{c, c}}), false);
  }

  Result<Fragment> parse_group(int nesting) {
    take('(');
    const bool outer_case = ignore_case_;
    if (take("?P<") || take("?<")) {
      while (!at_end() && !sees('>')) ++at_;
      if (!take('>')) return broken("a group name without '>'");
    } else if (take("?i)")) {
      ignore_case_ = true;
      return Fragment();
    } else if (take("?i:")) {
      ignore_case_ = true;
    } else if (!take("?:") && sees('?')) {
      return unsupported("regular expression: the group flag at character {} is not known", at_);
    }
    EDGEWRIGHT_ASSIGN(Fragment inside, parse_alternatives(nesting + 1));
    ignore_case_ = outer_case;
    if (!take(')')) return broken("a group without ')'");
    return inside;
  }

  // After a backslash: a class such as \d, or one character.
  Result<Ranges> parse_escaped_set() {
    take('\\');
    if (at_end()) return broken("a backslash at the end");
    const char32_t c = points_[at_++];
    switch (c) {
      case 'd': return kDigits;
      case 'D': return complement(kDigits);
      case 's': return kSpaces;
      case 'S': return complement(kSpaces);
      case 'w': return kWords;
      case 'W': return complement(kWords);
      case 'n': return Ranges{{'\n', '\n'}};
      case 'r': return Ranges{{'\r', '\r'}};
      case 't': return Ranges{{'\t', '\t'}};
      case 'f': return Ranges{{'\f', '\f'}};
      case 'v': return Ranges{{'\v', '\v'}};
      case 'a': return Ranges{{'\a', '\a'}};
      case 'x': return parse_hexadecimal();
      default: break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9')) {
      return unsupported("regular expression: the escape before character {} is not known", at_);
    }
    return Ranges{{c, c}};
  }

  Result<Ranges> parse_hexadecimal() {
    const bool braces = take('{');
    char32_t value = 0;
    size_t digits = 0;
    for (; !at_end() && (braces || digits < 2) && !sees('}'); ++at_, ++digits) {
      const char32_t c = points_[at_];
      const char32_t low = c | 0x20;
      if (c >= '0' && c <= '9') {
        value = value * 16 + (c - '0');
      } else if (low >= 'a' && low <= 'f') {
        value = value * 16 + (low - 'a' + 10);
      } else {
        return broken("a hexadecimal digit expected");
      }
      if (value > kLastPoint) return broken("a code point beyond Unicode");
    }
    if (digits == 0 || (braces && !take('}'))) return broken("an unfinished \\x");
    return Ranges{{value, value}};
  }

  Result<Fragment> parse_escape() {
    if (take("\\b")) return single(Step::Kind::kWord);
    if (take("\\B")) return single(Step::Kind::kNoWord);
    if (take("\\A")) return single(Step::Kind::kBegin);
    if (take("\\z")) return single(Step::Kind::kEnd);
    EDGEWRIGHT_ASSIGN(Ranges ranges, parse_escaped_set());
    return set_of(folded(std::move(ranges)), false);
  }

  Result<Fragment> parse_class() {
    take('[');
    const bool negated = take('^');
    Ranges ranges;
    for (bool first = true; first || !sees(']'); first = false) {
      if (at_end()) return broken("a class without ']'");
      EDGEWRIGHT_TRY(parse_class_item(ranges));
    }
    take(']');
    return set_of(folded(std::move(ranges)), negated);
  }

  Status parse_class_item(Ranges& ranges) {
    if (sees('[') && at_ + 1 < points_.size() && points_[at_ + 1] == ':') {
      return unsupported("regular expression: the named class at character {} is not known", at_);
    }
    EDGEWRIGHT_ASSIGN(const Ranges low, parse_class_end());
    const bool one = low.size() == 1 && low[0].first == low[0].second;
    const bool range = one && sees('-') && at_ + 1 < points_.size() && points_[at_ + 1] != ']';
    if (!range) {
      ranges.insert(ranges.end(), low.begin(), low.end());
      return {};
    }
    take('-');
    EDGEWRIGHT_ASSIGN(const Ranges high, parse_class_end());
    if (high.size() != 1 || high[0].first != high[0].second || high[0].first < low[0].first) {
      return broken("a range in the wrong order");
    }
    ranges.emplace_back(low[0].first, high[0].first);
    return {};
  }

  Result<Ranges> parse_class_end() {
    if (at_end()) return broken("a class without ']'");
    if (sees('\\')) return parse_escaped_set();
    const char32_t c = points_[at_++];
    return Ranges{{c, c}};
  }

  // With (?i), both cases of the ASCII letters in the ranges.
  Ranges folded(Ranges ranges) const {
    if (!ignore_case_) return ranges;
    const size_t count = ranges.size();
    for (size_t i = 0; i < count; ++i) {
      const auto [first, last] = ranges[i];
      for (const auto& [start, shift] : {std::pair<char32_t, int>{'a', -32}, {'A', 32}}) {
        const char32_t low = std::max(first, start);
        const char32_t high = std::min<char32_t>(last, start + 25);
        if (low <= high) ranges.emplace_back(low + shift, high + shift);
      }
    }
    return ranges;
  }

  std::vector<char32_t> points_;
  size_t at_ = 0;
  bool ignore_case_ = false;
};

}  // namespace

Result<std::vector<Step>> parse_pattern(std::string_view text) { return Parser(text).parse(); }

}  // namespace edgewright::reference
