#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright::chat_template {

enum class TokenKind : uint8_t {
  kText,      // between tags, as it is to be written
  kTagBegin,  // {%
  kTagEnd,
  kOutputBegin,  // {{
  kOutputEnd,
  kName,
  kString,
  kNumber,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of strings without quotes and escapes
  int line = 0;

  bool is(TokenKind wanted, std::string_view wanted_text) const {
    return kind == wanted && text == wanted_text;
  }
};

// The tokens of a Jinja template. White space is treated as transformers has chat templates
// treated: a tag {% %} takes the spaces before it to the beginning of its line and the newline
// after it (trim_blocks, lstrip_blocks); "-" takes all white space on its side, "+" keeps it.
// Comments are left out. The last token is kEnd.
Result<std::vector<Token>> tokens_of(std::string_view source);

}  // namespace edgewright::chat_template
