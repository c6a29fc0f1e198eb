#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

// Most of a request in JSON is the numbers of its tensors, of which a tree of values would take ten
// times as long to build as they take to read.
namespace edgewright::oip {

// A body whose arrays of numbers stand aside: of every `data` in a list of tensors the document
// holds the place in `arrays`.
struct JsonAndNumbers {
  std::string document;
  std::vector<std::string_view> arrays;  // "[1,2,3]", of the body
};
// Nothing for a body that has other data than arrays of numbers, or is no JSON as far as one sees
// here: that is for the parser.
std::optional<JsonAndNumbers> set_numbers_aside(std::string_view body);

// The numbers of an array, flat or nested, as tensor_from_json reads them. Nothing where that has
// something to refuse, or for types that are no numbers.
std::optional<Tensor> tensor_from_numbers(DType dtype, const Dims& dims, std::string_view array);

}  // namespace edgewright::oip
