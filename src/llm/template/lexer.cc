#include "llm/template/lexer.h"

#include <algorithm>
#include <array>

namespace edgewright::chat_template {
namespace {

constexpr std::string_view kSpaces = " \t\n\r\f\v";
// Longer ones first.
constexpr std::array<std::string_view, 25> kOperators = {
    "==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%", "~", "<",
    ">",  "=",  "(",  ")",  "[",  "]",  "{", "}", ",", ".", ":", "|",
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Python's newlines are one character; one at the very end belongs to no line.
std::string with_plain_newlines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
    } else if (i + 1 == source.size() || source[i + 1] != '\n') {
      text += '\n';
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) {
      const size_t open = next_tag();
      if (open == std::string::npos) {
        add_text(source_.size(), '\0', false);
        break;
      }
      const char kind = source_[open + 1];
      const char sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
      add_text(open, sign, kind != '{');
      at_ = open + 2 + ((sign == '-' || sign == '+') ? 1 : 0);
      if (kind == '#') {
        EDGEWRIGHT_TRY(skip_comment());
      } else {
        EDGEWRIGHT_TRY(read_tag(kind == '{'));
      }
    }
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  size_t next_tag() const {
    for (size_t i = at_; i + 1 < source_.size(); ++i) {
      const char c = source_[i + 1];
      if (source_[i] == '{' && (c == '%' || c == '{' || c == '#')) return i;
    }
    return std::string::npos;
  }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  // The text before a tag that begins at `end`; `sign` stands behind the tag's opening mark.
  void add_text(size_t end, char sign, bool takes_indent) {
    std::string_view text = std::string_view(source_).substr(at_, end - at_);
    line_ += static_cast<int>(std::ranges::count(text, '\n'));
    if (after_ == '-') {
      text.remove_prefix(std::min(text.size(), text.find_first_not_of(kSpaces)));
    } else if (after_ == '\n' && text.starts_with('\n')) {
      text.remove_prefix(1);
    }
    if (sign == '-') {
      text = text.substr(0, text.find_last_not_of(kSpaces) + 1);
    } else if (takes_indent && sign != '+') {
      const size_t kept = text.find_last_not_of(" \t") + 1;
      const bool begins_line = kept > 0 ? text[kept - 1] == '\n' : begins_line_at(end, text.size());
      if (begins_line) text = text.substr(0, kept);
    }
    after_ = '\0';
    if (!text.empty()) add(TokenKind::kText, std::string(text));
  }

  // Whether so many blanks before a place are all that its line has there.
  bool begins_line_at(size_t place, size_t blanks) const {
    return place == blanks || source_[place - blanks - 1] == '\n';
  }

  Status skip_comment() {
    const size_t end = source_.find("#}", at_);
    if (end == std::string::npos) return bad_input("line {}: a comment has no end", line_);
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_),
                                         source_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    const char sign = end > at_ ? source_[end - 1] : '\0';
    after_ = sign == '-' ? '-' : sign == '+' ? '\0' : '\n';
    at_ = end + 2;
    return {};
  }

  // Where the text has the closing mark of a tag, and how long it is with its sign; 0: it has not.
  size_t closing(bool output) const {
    const std::string_view rest = std::string_view(source_).substr(at_);
    const std::string_view mark = output ? "}}" : "%}";
    if (rest.starts_with(mark)) return 2;
    const bool signs = rest.starts_with('-') || (!output && rest.starts_with('+'));
    return signs && rest.substr(1).starts_with(mark) ? 3 : 0;
  }

  Status read_tag(bool output) {
    add(output ? TokenKind::kOutputBegin : TokenKind::kTagBegin, "");
    int open = 0;  // braces, which may close where the tag could
    while (at_ < source_.size()) {
      const char c = source_[at_];
      const size_t length = open == 0 ? closing(output) : 0;
      if (length > 0) {
        after_ = c == '-' ? '-' : (c == '+' || output) ? '\0' : '\n';
        at_ += length;
        add(output ? TokenKind::kOutputEnd : TokenKind::kTagEnd, "");
        return {};
      }
      if (c == '{') ++open;
      if (c == '}' && open > 0) --open;
      EDGEWRIGHT_TRY(read_token());
    }
    return bad_input("line {}: a tag has no end", line_);
  }

  Status read_token() {
    const char c = source_[at_];
    if (kSpaces.find(c) != std::string_view::npos) {
      line_ += c == '\n' ? 1 : 0;
      ++at_;
      return {};
    }
    if (c == '\'' || c == '"') return read_string(c);
    size_t end = at_;
    if (is_letter(c)) {
      while (end < source_.size() && (is_letter(source_[end]) || is_digit(source_[end]))) ++end;
      add(TokenKind::kName, source_.substr(at_, end - at_));
    } else if (is_digit(c)) {
      const auto digits = [&] {
        while (end < source_.size() && is_digit(source_[end])) ++end;
      };
      digits();
      if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
        ++end;
        digits();
      }
      add(TokenKind::kNumber, source_.substr(at_, end - at_));
    } else {
      return read_operator();
    }
    at_ = end;
    return {};
  }

  Status read_operator() {
    const std::string_view rest = std::string_view(source_).substr(at_);
    for (const std::string_view name : kOperators) {
      if (!rest.starts_with(name)) continue;
      add(TokenKind::kOperator, std::string(name));
      at_ += name.size();
      return {};
    }
    return bad_input("line {}: byte {} begins no name, number, text or operator", line_,
                     static_cast<int>(static_cast<unsigned char>(rest[0])));
  }

  Status read_string(char quote) {
    std::string text;
    for (size_t i = at_ + 1; i < source_.size(); ++i) {
      char c = source_[i];
      if (c == quote) {
        at_ = i + 1;
        add(TokenKind::kString, std::move(text));
        return {};
      }
      line_ += c == '\n' ? 1 : 0;
      if (c == '\\' && i + 1 < source_.size()) {
        c = source_[++i];
        // A line that goes on in the next one.
        if (c == '\n') {
          ++line_;
          continue;
        }
        constexpr std::string_view kNames = "ntrbfv", kValues = "\n\t\r\b\f\v";
        const size_t known = kNames.find(c);
        if (known != std::string_view::npos) {
          c = kValues[known];
        } else if (c != '\\' && c != '\'' && c != '"') {
          text += '\\';
        }
      }
      text += c;
    }
    return bad_input("line {}: a text has no end", line_);
  }

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  char after_ = '\0';  // what the last tag takes of the text after it: '-' white space, '\n' that
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokens_of(std::string_view source) {
  return Lexer(with_plain_newlines(source)).run();
}

}  // namespace edgewright::chat_template
