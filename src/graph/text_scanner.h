#pragma once

#include <string>
#include <string_view>

#include "graph/type.h"
#include "tensor/attributes.h"

namespace edgewright {

// Reads the small pieces of the graph's text form: names, numbers, types, tensors, attributes.
// White space and `#` comments to the end of the line separate them.
class TextScanner {
 public:
  explicit TextScanner(std::string_view text) : text_(text) { skip_space(); }

  bool at_end() const { return position_ >= text_.size(); }
  // kBadInput with the place: "line 3, column 7: found 'x', expected WHAT".
  Error error(std::string_view expected) const { return error_at(position_, expected); }
  // The same for the piece that was read last.
  Error error_before(std::string_view expected) const { return error_at(last_, expected); }

  bool at_word(std::string_view word) const;
  bool accept_word(std::string_view word);
  bool accept(std::string_view punctuation);
  Status expect(std::string_view punctuation);

  Result<std::string> symbol();      // plain or quoted
  Result<std::string> value_name();  // %plain or %"quoted", without the %
  bool at_string() const { return peek() == '"'; }
  Result<std::string> string();
  Result<int64_t> integer();
  Result<ValueType> type();
  bool at_tensor_elements() const { return peek() == '{' || peek() == '<' || at_hexadecimal(); }
  // {1, 2}, x"00ff" or {"a", "b"}: the elements of a tensor of a type with known dimensions.
  Result<Tensor> tensor_elements(const ValueType& type);
  Result<AttributeValue> attribute();

 private:
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool at_hexadecimal() const { return text_.substr(position_, 2) == "x\""; }
  bool at_type_with_elements() const;
  Error error_at(size_t position, std::string_view expected) const;
  void skip_space();
  std::string_view word() const;
  std::string_view number_text() const;
  void advance(size_t count);
  Result<std::string> hexadecimal();
  Result<Shape> shape_dims();
  Result<ValueType> wrapped_type();
  Result<Tensor> number_elements(DType dtype, Dims dims);
  Result<Tensor> string_elements(Dims dims);
  Result<AttributeValue> number_attribute();
  Result<AttributeValue> list_attribute();
  Result<AttributeValue> empty_list_attribute();
  Result<AttributeValue> opaque_attribute();
  Result<AttributeValue> tensor_attribute();

  std::string_view text_;
  size_t position_ = 0;
  size_t last_ = 0;  // where the piece before position_ begins
  int type_depth_ = 0;
};

}  // namespace edgewright
