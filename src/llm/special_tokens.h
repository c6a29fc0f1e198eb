#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"

namespace edgewright {

// Names of tokens that are found in a text before anything else is done with it. At every place the
// longest name wins, and the earliest place.
class SpecialTokens {
 public:
  // `always`: found even where special tokens are not asked for (added tokens that are words).
  // strip_left, strip_right: white space beside it belongs to it.
  void add(const std::string& name, int token, bool always = false, bool strip_left = false,
           bool strip_right = false);
  bool empty() const { return tokens_.empty(); }

  // Calls with every stretch of plain text (token -1, never empty) and every token (empty text), in
  // order.
  void split(std::string_view text, bool special,
             FunctionRef<void(std::string_view text, int token)> call) const;

 private:
  struct Entry {
    std::string name;
    int token;
    bool always, strip_left, strip_right;
  };
  const Entry* match(std::string_view text, bool special) const;
  std::map<unsigned char, std::vector<Entry>> tokens_;  // by first byte, longest first
};

}  // namespace edgewright
