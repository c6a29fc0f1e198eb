#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "tensor/tensor.h"

namespace edgewright::oip {

// JSON that arrives over the network, bounded in depth so that no nesting exhausts a stack.
Result<Json> parse_json(std::string_view text);
// A string with its quotes and escapes; the text must be UTF-8 (is_utf8).
std::string json_string(std::string_view text);
bool is_utf8(std::string_view text);

// The elements of a tensor as JSON numbers, booleans or strings: flat, or nested as the shape says.
// Errors (bad input): elements of another type or out of range, a count that is not the shape's.
Result<Tensor> tensor_from_json(DType dtype, Dims dims, const Json& data);

// Appends "[1,2,3]". Errors (unsupported): what JSON cannot say (half precision, infinities,
// strings that are not UTF-8).
Status append_json(const Tensor& tensor, std::string& out);

}  // namespace edgewright::oip
