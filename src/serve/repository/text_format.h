#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

// A message in protobuf's text form without its description: every field in order of appearance.
// Source: protobuf.dev/reference/protobuf/textformat-spec.
struct TextMessage;
struct TextField {
  std::string name;
  int line = 0;
  std::string value;  // of a scalar; a string is unescaped
  bool is_string = false, is_message = false;
  std::vector<TextMessage> message;  // one, where is_message
};
struct TextMessage {
  std::vector<TextField> fields;

  // The last of this name, as repeated scalars overwrite each other; null when there is none.
  const TextField* find(std::string_view name) const;
};

// Lists ("dims: [ 1, 2 ]") become one field for each element. Errors: bad input with the line.
Result<TextMessage> parse_text_format(std::string_view text);

// A field's value as a number or a boolean; bad input naming field and line.
Result<int64_t> integer_value(const TextField& field);
Result<bool> boolean_value(const TextField& field);

}  // namespace edgewright
