#include "llm/sentencepiece_encode.h"

#include <algorithm>
#include <limits>
#include <map>
#include <queue>
#include <string>

namespace edgewright {
namespace {

using Piece = SentencePieceModel::Piece;

// What an unknown character costs below the least likely piece.
constexpr float kUnknownPenalty = 10.0f;

// A run of characters that merges have made; empty once it belongs to its left neighbour.
struct Symbol {
  std::string_view text;
  int previous, next;
  bool frozen;
};

struct Merge {
  int left, right;
  float score;
  size_t size_bytes;
};
// The highest score first, of equal ones the leftmost.
struct LaterMerge {
  bool operator()(const Merge& a, const Merge& b) const {
    return a.score < b.score || (a.score == b.score && a.left > b.left);
  }
};

// By the first byte alone; what comes here is valid.
size_t character_bytes(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  return std::min(length, text.size());
}

class Merger {
 public:
  Merger(const std::unordered_map<std::string_view, int>& ids, const SentencePieceModel& model)
      : ids_(ids), model_(model) {}

  void split(std::string_view text, const PrefixSet& user_defined) {
    while (!text.empty()) {
      const size_t own = user_defined.match(text);
      const size_t length = own > 0 ? own : character_bytes(text);
      const int index = static_cast<int>(symbols_.size());
      symbols_.push_back({text.substr(0, length), index - 1, index + 1, own > 0});
      text.remove_prefix(length);
    }
    if (!symbols_.empty()) symbols_.back().next = -1;
  }

  void run() {
    for (size_t i = 1; i < symbols_.size(); ++i) {
      consider(static_cast<int>(i) - 1, static_cast<int>(i));
    }
    while (!agenda_.empty()) {
      const Merge merge = agenda_.top();
      agenda_.pop();
      Symbol& left = symbol(merge.left);
      Symbol& right = symbol(merge.right);
      if (left.text.empty() || right.text.empty() ||
          left.text.size() + right.text.size() != merge.size_bytes) {
        continue;
      }
      // Both lie side by side in the text.
      left.text = std::string_view(&left.text.front(), merge.size_bytes);
      left.next = right.next;
      if (right.next >= 0) symbol(right.next).previous = merge.left;
      right.text = {};
      consider(left.previous, merge.left);
      consider(merge.left, left.next);
    }
  }

  // Calls with every piece in order; unused ones fall apart again.
  template <class Call>
  void each(const Call& call) const {
    for (int i = symbols_.empty() ? -1 : 0; i >= 0; i = symbols_[static_cast<size_t>(i)].next) {
      emit(symbols_[static_cast<size_t>(i)].text, call);
    }
  }

 private:
  Symbol& symbol(int index) { return symbols_[static_cast<size_t>(index)]; }

  void consider(int left, int right) {
    if (left < 0 || right < 0 || symbol(left).frozen || symbol(right).frozen) return;
    const std::string_view text(symbol(left).text.data(),
                                symbol(left).text.size() + symbol(right).text.size());
    const auto found = ids_.find(text);
    if (found == ids_.end()) return;
    const Piece& piece = model_.pieces[static_cast<size_t>(found->second)];
    agenda_.push({left, right, piece.score, text.size()});
    if (piece.type == SentencePieceModel::kUnused) {
      halves_[text] = {symbol(left).text, symbol(right).text};
    }
  }

  template <class Call>
  void emit(std::string_view text, const Call& call) const {
    std::vector<std::string_view> stack = {text};
    while (!stack.empty()) {
      const std::string_view top = stack.back();
      stack.pop_back();
      const auto found = halves_.find(top);
      if (found == halves_.end()) {
        call(top);
        continue;
      }
      stack.push_back(found->second.second);
      stack.push_back(found->second.first);
    }
  }

  const std::unordered_map<std::string_view, int>& ids_;
  const SentencePieceModel& model_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Merge, std::vector<Merge>, LaterMerge> agenda_;
  std::map<std::string_view, std::pair<std::string_view, std::string_view>> halves_;
};

}  // namespace

SentencePieceEncoder::SentencePieceEncoder(const SentencePieceModel& model)
    : model_(model), byte_ids_(256, -1) {
  float smallest = std::numeric_limits<float>::max();
  largest_score_ = std::numeric_limits<float>::lowest();
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    const Piece& piece = model.pieces[i];
    const int id = static_cast<int>(i);
    const bool usable = piece.type == SentencePieceModel::kNormal ||
                        piece.type == SentencePieceModel::kUserDefined ||
                        piece.type == SentencePieceModel::kUnused;
    (usable ? ids_ : reserved_).emplace(piece.text, id);
    if (usable) longest_ = std::max(longest_, piece.text.size());
    if (piece.type == SentencePieceModel::kNormal) {
      smallest = std::min(smallest, piece.score);
      largest_score_ = std::max(largest_score_, piece.score);
    }
    if (piece.type == SentencePieceModel::kUserDefined) user_defined_.add(piece.text);
    if (piece.type == SentencePieceModel::kUnknown) unknown_ = id;
    if (const int byte = byte_of(piece); byte >= 0) byte_ids_[static_cast<size_t>(byte)] = id;
  }
  unknown_score_ = smallest - kUnknownPenalty;
}

int SentencePieceEncoder::id_of(std::string_view text) const {
  if (const auto found = reserved_.find(text); found != reserved_.end()) return found->second;
  const auto found = ids_.find(text);
  return found == ids_.end() ? unknown_ : found->second;
}

std::vector<SentencePieceEncoder::Span> SentencePieceEncoder::merge_pairs(
    std::string_view text) const {
  Merger merger(ids_, model_);
  merger.split(text, user_defined_);
  merger.run();
  std::vector<Span> spans;
  merger.each([&](std::string_view piece) { spans.push_back({piece, id_of(piece)}); });
  return spans;
}

// Viterbi's algorithm over the scores, which are logarithms of probabilities (Kudo 2018).
std::vector<SentencePieceEncoder::Span> SentencePieceEncoder::likeliest_path(
    std::string_view text) const {
  struct Node {
    float score = 0;
    size_t begin = std::string_view::npos;
    int id = -1;
  };
  std::vector<Node> nodes(text.size() + 1);
  const auto offer = [&](size_t begin, size_t end, float score, int id) {
    const float total = nodes[begin].score + score;
    Node& node = nodes[end];
    if (node.begin == std::string_view::npos || total > node.score) node = {total, begin, id};
  };
  for (size_t at = 0; at < text.size();) {
    const size_t character = character_bytes(text.substr(at));
    bool known = false;
    for (size_t length = 1; length <= std::min(longest_, text.size() - at); ++length) {
      const auto found = ids_.find(text.substr(at, length));
      if (found == ids_.end()) continue;
      const Piece& piece = model_.pieces[static_cast<size_t>(found->second)];
      if (piece.type == SentencePieceModel::kUnused) continue;
      const float score = piece.type == SentencePieceModel::kUserDefined
                              ? static_cast<float>(length) * largest_score_ - 0.1f
                              : piece.score;
      offer(at, at + length, score, found->second);
      known = known || length == character;
    }
    if (!known) offer(at, at + character, unknown_score_, unknown_);
    at += character;
  }
  std::vector<Span> spans;
  for (size_t end = text.size(); end > 0; end = nodes[end].begin) {
    spans.push_back({text.substr(nodes[end].begin, end - nodes[end].begin), nodes[end].id});
  }
  std::ranges::reverse(spans);
  return spans;
}

void SentencePieceEncoder::encode(std::string_view normalised, std::vector<int>& tokens) const {
  bool after_unknown = false;
  for (const Span& span : model_.unigram ? likeliest_path(normalised) : merge_pairs(normalised)) {
    const bool unknown = span.id == unknown_;
    if (unknown && model_.byte_fallback) {
      for (const char c : span.text) {
        const int id = byte_ids_[static_cast<uint8_t>(c)];
        tokens.push_back(id < 0 ? unknown_ : id);
      }
    } else if (!unknown || !after_unknown) {
      tokens.push_back(span.id);
    }
    after_unknown = unknown && !model_.byte_fallback;
  }
}

}  // namespace edgewright
