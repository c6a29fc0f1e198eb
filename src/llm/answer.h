#pragma once

#include <span>
#include <vector>

#include "llm/request.h"
#include "llm/text_stream.h"

namespace edgewright {

// A request's answer as it grows, token by token.
class Answer {
 public:
  // `ends`: tokens with which the model ends its text.
  Answer(TextRequest request, const Tokenizer& tokenizer, const std::vector<int>& ends);

  // Chooses the next token from logits, which it may change, and tells the caller of it. Returns
  // why the answer is over, or kNone; an end token is no part of the answer.
  FinishReason add(std::span<float> logits);
  // Whether the logits of the prompt's tokens are wanted still; each goes to see_prompt, in order.
  bool asks_of_prompt() const {
    return request_.prompt_log_probabilities &&
           result_.prompt_likelihoods.size() + 1 < request_.prompt.size();
  }
  void see_prompt(std::span<const float> logits);
  // No token follows: shows what was held back.
  void finish(FinishReason reason);

  const TextRequest& request() const { return request_; }
  // The prompt and the answer.
  std::vector<int>& sequence() { return sequence_; }
  TextResult& result() { return result_; }
  bool finished() const { return result_.finish != FinishReason::kNone; }

 private:
  TextRequest request_;
  const std::vector<int>& ends_;
  TextStream stream_;
  std::vector<int> sequence_;
  TextResult result_;
  std::vector<float> scratch_, unchanged_;
};

}  // namespace edgewright
