#include "llm/tokenizer.h"

#include <charconv>

namespace edgewright {
namespace {

class NumberTokenizer final : public Tokenizer {
 public:
  explicit NumberTokenizer(int size) : size_(size) {}
  std::vector<int> encode(std::string_view text, bool) const override {
    std::vector<int> tokens;
    const char* at = text.data();
    const char* end = at + text.size();
    while (at != end) {
      int token = 0;
      const auto [after, code] = std::from_chars(at, end, token);
      if (code == std::errc() && token >= 0 && token < size_) tokens.push_back(token);
      at = after == at ? at + 1 : after;
    }
    return tokens;
  }
  std::string token_bytes(int token, bool) const override { return fmt::format(" {}", token); }
  int size() const override { return size_; }
  int find(std::string_view) const override { return -1; }
  bool is_special(int) const override { return false; }
  bool strips_first_space() const override { return true; }
  bool adds_bos() const override { return false; }

 private:
  int size_;
};

}  // namespace

std::unique_ptr<Tokenizer> number_tokenizer(int size) {
  return std::make_unique<NumberTokenizer>(size);
}

std::string Tokenizer::decode(std::span<const int> tokens, bool special) const {
  std::string text;
  bool first = strips_first_space();
  for (const int token : tokens) {
    std::string bytes = token_bytes(token, special);
    if (first && !bytes.empty()) {
      if (bytes[0] == ' ') bytes.erase(0, 1);
      first = false;
    }
    text += bytes;
  }
  return text;
}

}  // namespace edgewright
