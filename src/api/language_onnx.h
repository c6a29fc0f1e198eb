#pragma once

#include <string>

#include "api/language_open.h"

namespace edgewright {

// Recognises a decoder of the Llama shape in an ONNX file with key/value inputs
// (`input_ids, attention_mask, position_ids, past_key_values.N.key/value`): the products with
// constants, in order, are query, key, value, output, gate, up and down of every layer and the
// output matrix. What was recognised is then run beside the file itself on a short text; where
// logits differ by more than 1e-3 it is unsupported.
Result<LanguageSource> read_onnx_decoder(const std::string& path);

}  // namespace edgewright
