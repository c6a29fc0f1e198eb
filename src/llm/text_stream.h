#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/tokenizer.h"

namespace edgewright {

// Turns tokens into text that can be shown at once: characters come whole, and what may be the
// beginning of a stop string is held back until that is known.
class TextStream {
 public:
  // `continues`: the tokens follow a prompt, so that a first space is part of the text.
  TextStream(const Tokenizer& tokenizer, std::vector<std::string> stop_strings, bool continues);

  // Adds a token; returns the text that is now certain. After a stop string: the text before it.
  std::string add(int token);
  // What was held back, at the end.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  size_t certain_bytes() const;
  const Tokenizer& tokenizer_;
  std::vector<std::string> stop_strings_;
  std::string pending_;
  bool first_, stopped_ = false;
};

// Bytes at the end that begin a UTF-8 character but do not complete it: 0 to 3.
size_t incomplete_utf8_bytes(std::string_view text);

}  // namespace edgewright
