#include "kernels/strings/pattern.h"

#include <algorithm>
#include <span>

#include "kernels/strings/pattern_parser.h"

namespace edgewright::reference {
namespace {

using Step = Pattern::Step;

bool is_word(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// All ways that lead on without a character, from a position in the text.
class Frontier {
 public:
  Frontier(const std::vector<Step>& steps, const std::vector<char32_t>& text)
      : steps_(steps), text_(text), seen_(steps.size(), false) {}

  void add(int32_t start, size_t at) {
    pending_.push_back(start);
    while (!pending_.empty()) {
      const int32_t index = pending_.back();
      pending_.pop_back();
      if (seen_[static_cast<size_t>(index)]) continue;
      seen_[static_cast<size_t>(index)] = true;
      expand(index, at);
    }
  }
  const std::vector<int32_t>& waiting() const { return waiting_; }
  bool matched() const { return matched_; }
  void clear() {
    std::fill(seen_.begin(), seen_.end(), false);
    waiting_.clear();
    matched_ = false;
  }

 private:
  void expand(int32_t index, size_t at) {
    const Step& step = steps_[static_cast<size_t>(index)];
    switch (step.kind) {
      case Step::Kind::kSet: waiting_.push_back(index); break;
      case Step::Kind::kMatch: matched_ = true; break;
      case Step::Kind::kSplit:
        pending_.push_back(step.other);
        pending_.push_back(step.next);
        break;
      case Step::Kind::kJump: pending_.push_back(step.next); break;
      default:
        if (holds(step.kind, at)) pending_.push_back(step.next);
    }
  }
  bool holds(Step::Kind kind, size_t at) const {
    if (kind == Step::Kind::kBegin) return at == 0;
    if (kind == Step::Kind::kEnd) return at == text_.size();
    const bool before = at > 0 && is_word(text_[at - 1]);
    const bool after = at < text_.size() && is_word(text_[at]);
    return (before != after) == (kind == Step::Kind::kWord);
  }

  std::span<const Step> steps_;
  std::span<const char32_t> text_;
  std::vector<bool> seen_;
  std::vector<int32_t> waiting_, pending_;
  bool matched_ = false;
};

bool accepts(const Step& step, char32_t c) {
  const bool inside = std::any_of(step.ranges.begin(), step.ranges.end(), [c](const auto& range) {
    return c >= range.first && c <= range.second;
  });
  return inside != step.negated;
}

}  // namespace

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> points;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    char32_t point = length == 1 ? lead : lead & (0x7f >> length);
    bool valid = i + length <= text.size();
    for (size_t j = 1; valid && j < length; ++j) {
      const auto next = static_cast<uint8_t>(text[i + j]);
      valid = (next & 0xc0) == 0x80;
      point = (point << 6) | (next & 0x3f);
    }
    points.push_back(valid ? point : lead);
    i += valid ? length : 1;
  }
  return points;
}

Result<Pattern> Pattern::compile(std::string_view text) {
  Pattern pattern;
  EDGEWRIGHT_ASSIGN(pattern.steps_, parse_pattern(text));
  return pattern;
}

bool Pattern::matches(std::string_view text) const {
  const std::vector<char32_t> points = code_points(text);
  Frontier now(steps_, points);
  Frontier next(steps_, points);
  now.add(0, 0);
  for (size_t at = 0; at < points.size(); ++at) {
    if (now.waiting().empty()) return false;
    next.clear();
    for (const int32_t index : now.waiting()) {
      const Step& step = steps_[static_cast<size_t>(index)];
      if (accepts(step, points[at])) next.add(step.next, at + 1);
    }
    std::swap(now, next);
  }
  return now.matched();
}

}  // namespace edgewright::reference
