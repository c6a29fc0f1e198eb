#include "serve/repository/text_format.h"

#include <charconv>

namespace edgewright {
namespace {

constexpr int kMaxDepth = 32;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<TextMessage> message(char end, int depth) {
    TextMessage message;
    if (depth > kMaxDepth) return fail("messages nest too deep");
    while (true) {
      skip_space();
      if (end == '\0' ? at_end() : accept(end)) return message;
      if (at_end()) return fail(fmt::format("expected '{}' before the end", end));
      EDGEWRIGHT_TRY(field(message, depth));
      skip_space();
      if (!accept(',')) accept(';');
    }
  }

 private:
  Error fail(std::string_view what) const { return bad_input("line {}: {}", line_, what); }
  bool at_end() const { return at_ == text_.size(); }

  void skip_space() {
    while (!at_end()) {
      if (text_[at_] == '#') {
        while (!at_end() && text_[at_] != '\n') ++at_;
      } else if (text_[at_] == '\n') {
        ++line_;
        ++at_;
      } else if (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }
  bool accept(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '+';
  }
  std::string word() {
    const size_t begin = at_;
    while (!at_end() && is_word(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  Status field(TextMessage& message, int depth) {
    const int line = line_;
    const std::string name = word();
    if (name.empty()) return fail(fmt::format("expected a field, found '{}'", text_[at_]));
    skip_space();
    const bool colon = accept(':');
    skip_space();
    if (!accept('[')) return value(message, name, line, colon, depth);
    skip_space();
    if (accept(']')) return {};
    while (true) {
      EDGEWRIGHT_TRY(value(message, name, line, true, depth));
      skip_space();
      if (accept(']')) return {};
      if (!accept(',')) return fail("expected ',' or ']' in a list");
      skip_space();
    }
  }

  Status value(TextMessage& message, const std::string& name, int line, bool colon, int depth) {
    TextField field{name, line, "", false, false, {}};
    if (accept('{') || accept('<')) {
      field.is_message = true;
      const char end = text_[at_ - 1] == '{' ? '}' : '>';
      EDGEWRIGHT_ASSIGN(TextMessage inner, this->message(end, depth + 1));
      field.message.push_back(std::move(inner));
    } else if (!colon) {
      return fail(fmt::format("expected ':' or '{{' after '{}'", name));
    } else if (!at_end() && (text_[at_] == '"' || text_[at_] == '\'')) {
      field.is_string = true;
      // Adjacent strings are one.
      while (!at_end() && (text_[at_] == '"' || text_[at_] == '\'')) {
        EDGEWRIGHT_TRY(string(field.value));
        skip_space();
      }
    } else {
      field.value = word();
      if (field.value.empty()) return fail(fmt::format("expected a value of '{}'", name));
    }
    message.fields.push_back(std::move(field));
    return {};
  }

  Status string(std::string& out) {
    const char quote = text_[at_++];
    while (!at_end() && text_[at_] != quote) {
      char c = text_[at_++];
      if (c == '\n') return fail("a string goes on past its line");
      if (c == '\\' && !at_end()) {
        constexpr std::string_view kLetters = "nrt\\'\"", kMeanings = "\n\r\t\\'\"";
        const size_t which = kLetters.find(text_[at_++]);
        if (which == std::string_view::npos) return fail("unknown escape in a string");
        c = kMeanings[which];
      }
      out += c;
    }
    if (!accept(quote)) return fail("a string without end");
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

Error wrong_value(const TextField& field, std::string_view expected) {
  return bad_input("line {}: '{}' is '{}', expected {}", field.line, field.name,
                   field.is_message ? "{...}" : field.value, expected);
}

}  // namespace

const TextField* TextMessage::find(std::string_view name) const {
  const TextField* found = nullptr;
  for (const TextField& field : fields) {
    if (field.name == name) found = &field;
  }
  return found;
}

Result<TextMessage> parse_text_format(std::string_view text) {
  return Parser(text).message('\0', 0);
}

Result<int64_t> integer_value(const TextField& field) {
  int64_t value = 0;
  const char* end = field.value.data() + field.value.size();
  const auto [stopped, code] = std::from_chars(field.value.data(), end, value);
  if (field.is_string || field.is_message || code != std::errc() || stopped != end) {
    return wrong_value(field, "a whole number");
  }
  return value;
}

Result<bool> boolean_value(const TextField& field) {
  const bool plain = !field.is_string && !field.is_message;
  if (plain && (field.value == "true" || field.value == "1")) return true;
  if (plain && (field.value == "false" || field.value == "0")) return false;
  return wrong_value(field, "true or false");
}

}  // namespace edgewright
