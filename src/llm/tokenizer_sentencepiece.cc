#include <algorithm>
#include <map>

#include "llm/sentencepiece_encode.h"
#include "llm/special_tokens.h"
#include "llm/tokenizer.h"

namespace edgewright {
namespace {

using Piece = SentencePieceModel::Piece;

// U+2581, which stands for a space inside pieces.
constexpr std::string_view kSpaceMark = "\xe2\x96\x81";
constexpr std::string_view kUnknownText = " \xe2\x81\x87 ";  // as SentencePiece shows it

std::string bytes_of(const Piece& piece) {
  if (const int byte = byte_of(piece); byte >= 0) return std::string(1, static_cast<char>(byte));
  if (piece.type == SentencePieceModel::kUnknown) return std::string(kUnknownText);
  std::string out;
  for (size_t at = 0; at < piece.text.size();) {
    if (piece.text.compare(at, kSpaceMark.size(), kSpaceMark) == 0) {
      out += ' ';
      at += kSpaceMark.size();
    } else {
      out += piece.text[at++];
    }
  }
  return out;
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(SentencePieceModel model)
      : model_(std::move(model)), encoder_(model_) {
    for (size_t i = 0; i < model_.pieces.size(); ++i) {
      const Piece& piece = model_.pieces[i];
      names_.emplace(piece.text, static_cast<int>(i));
      texts_.push_back(bytes_of(piece));
      if (piece.type == SentencePieceModel::kControl) {
        specials_.add(piece.text, static_cast<int>(i));
      }
    }
    // Normalisers such as NFKC turn a newline into a space; then lines are encoded one by one and
    // joined by the byte token.
    newline_ = find("<0x0A>");
    by_line_ = newline_ >= 0 &&
               normalise(model_, encoder_.user_defined(), "a\nb").find('\n') == std::string::npos;
  }

  std::vector<int> encode(std::string_view text, bool special) const override {
    std::vector<int> tokens;
    specials_.split(text, special, [&](std::string_view part, int token) {
      if (token >= 0) {
        tokens.push_back(token);
      } else {
        encode_plain(part, tokens);
      }
    });
    return tokens;
  }
  std::string token_bytes(int token, bool special) const override {
    if (token < 0 || token >= size()) return "";
    const auto at = static_cast<size_t>(token);
    if (model_.pieces[at].type == SentencePieceModel::kControl) {
      return special ? model_.pieces[at].text : "";
    }
    return texts_[at];
  }
  int size() const override { return static_cast<int>(texts_.size()); }
  int find(std::string_view name) const override {
    const auto found = names_.find(name);
    return found == names_.end() ? -1 : found->second;
  }
  bool is_special(int token) const override {
    if (token < 0 || token >= size()) return false;
    const int type = model_.pieces[static_cast<size_t>(token)].type;
    return type == SentencePieceModel::kControl || type == SentencePieceModel::kUnknown;
  }
  bool strips_first_space() const override { return model_.dummy_prefix; }

 private:
  void encode_plain(std::string_view text, std::vector<int>& tokens) const {
    while (true) {
      const size_t end = by_line_ ? text.find('\n') : std::string_view::npos;
      encoder_.encode(normalise(model_, encoder_.user_defined(), text.substr(0, end)), tokens);
      if (end == std::string_view::npos) return;
      tokens.push_back(newline_);
      text.remove_prefix(end + 1);
    }
  }

  SentencePieceModel model_;
  SentencePieceEncoder encoder_;
  std::vector<std::string> texts_;
  std::map<std::string, int, std::less<>> names_;
  SpecialTokens specials_;
  int newline_ = -1;
  bool by_line_ = false;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> open_sentencepiece(std::string_view serialised) {
  EDGEWRIGHT_ASSIGN(SentencePieceModel model, parse_sentencepiece(serialised));
  return std::unique_ptr<Tokenizer>(std::make_unique<SentencePieceTokenizer>(std::move(model)));
}

}  // namespace edgewright
