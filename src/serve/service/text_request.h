#pragma once

#include <string>

#include "llm/request.h"
#include "serve/protocol/message.h"
#include "serve/refusal.h"

namespace edgewright {

// A request to a language model over the inference protocol, in the form of Triton's text models:
// input "text_input", parameters max_tokens, temperature, top_k, top_p, min_p, repetition_penalty,
// seed, stop, stream.
struct TextOrder {
  std::string prompt;
  bool stream = false;  // an answer for every piece of text
  TextRequest request;  // the prompt's tokens are not set
};
Reply<TextOrder> text_order(const oip::InferRequest& request);

}  // namespace edgewright
