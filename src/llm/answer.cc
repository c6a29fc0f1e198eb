#include "llm/answer.h"

#include <algorithm>

namespace edgewright {

std::string_view finish_name(FinishReason reason) {
  constexpr std::string_view kNames[] = {"none", "end", "stop", "length", "context", "cancelled"};
  return kNames[static_cast<size_t>(reason)];
}

Answer::Answer(TextRequest request, const Tokenizer& tokenizer, const std::vector<int>& ends)
    : request_(std::move(request)),
      ends_(ends),
      stream_(tokenizer, request_.stop_strings, true),
      sequence_(request_.prompt) {
  result_.prompt_tokens = static_cast<int>(request_.prompt.size());
}

FinishReason Answer::add(std::span<float> logits) {
  if (request_.max_tokens <= 0) return FinishReason::kLength;
  if (request_.log_probabilities) unchanged_.assign(logits.begin(), logits.end());
  const int token = sample(logits, sequence_, request_.sampling, result_.tokens.size(), scratch_);
  if (!request_.ignore_end && std::ranges::find(ends_, token) != ends_.end()) {
    return FinishReason::kEnd;
  }
  result_.tokens.push_back(token);
  sequence_.push_back(token);
  const std::string text = stream_.add(token);
  result_.text += text;
  TokenEvent event{token, text, nullptr};
  if (request_.log_probabilities) {
    result_.likelihoods.push_back(likelihood(unchanged_, token, request_.likeliest));
    event.likelihood = &result_.likelihoods.back();
  }
  if (request_.on_token && !request_.on_token(event)) return FinishReason::kCancelled;
  if (stream_.stopped()) return FinishReason::kStop;
  const bool full = std::ssize(result_.tokens) >= request_.max_tokens;
  return full ? FinishReason::kLength : FinishReason::kNone;
}

void Answer::see_prompt(std::span<const float> logits) {
  std::vector<Likelihood>& seen = result_.prompt_likelihoods;
  seen.push_back(likelihood(logits, request_.prompt[seen.size() + 1], request_.likeliest));
}

void Answer::finish(FinishReason reason) {
  if (finished()) return;
  result_.finish = reason;
  const std::string rest = stream_.finish();
  result_.text += rest;
  if (!rest.empty() && request_.on_token && reason != FinishReason::kCancelled) {
    request_.on_token({-1, rest, nullptr});
  }
}

}  // namespace edgewright
