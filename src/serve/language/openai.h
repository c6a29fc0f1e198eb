#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llm/chat.h"
#include "llm/request.h"
#include "serve/refusal.h"

namespace edgewright {

// The completions of OpenAI's API as values (platform.openai.com/docs/api-reference: "Completions",
// "Chat"). What would change the text and is not supported is refused, not ignored.
struct CompletionRequest {
  std::string model;
  bool is_chat = false;
  std::string prompt;              // completions
  std::vector<int> prompt_tokens;  // completions: in place of the text
  std::vector<ChatTurn> messages;  // chat
  TextRequest text;                // limits, sampling and stop texts; the prompt is not set
  bool has_max_tokens = false;
  bool stream = false, usage_in_stream = false;
  bool echo = false;  // completions: the answer begins with the prompt
  std::string user;
};
Reply<CompletionRequest> decode_completion(std::string_view body, bool is_chat);

// What all parts of an answer share.
struct CompletionHead {
  std::string id, model;
  int64_t created_s = 0;
  bool is_chat = false;
};
// How a request's part of the machine's energy is found; the meter's method follows.
inline constexpr std::string_view kEnergyShareMethod =
    "share of the machine's by rows and time of passes; ";

struct CompletionUsage {
  int prompt_tokens = 0, completion_tokens = 0;
  // What it cost, where it was measured; our addition to the interface.
  RequestEnergy energy;
  std::string meter;     // how
  double hottest_c = 0;  // of any zone at the end; 0: not known
};

// A token of an answer with what the model says of it, where the request asks for that.
struct ToldToken {
  std::string text;                       // its bytes: maybe a part of a character only
  std::optional<double> log_probability;  // none for the first of all
  std::vector<std::pair<std::string, double>> likeliest;
};
using ToldTokens = std::optional<std::vector<ToldToken>>;  // none: not asked for

std::string encode_completion(const CompletionHead& head, const std::string& text,
                              const ToldTokens& told, FinishReason finish,
                              const CompletionUsage& usage);
// Events of a stream ("data: {...}\n\n"): the first, a piece of text, the last with its reason, the
// usage where it was asked for, and what ends the stream.
std::string encode_first_event(const CompletionHead& head);
// `offset`: characters of the tokens of earlier events, which these are added to.
std::string encode_text_event(const CompletionHead& head, std::string_view text,
                              const ToldTokens& told, size_t& offset);
std::string encode_last_event(const CompletionHead& head, FinishReason finish);
std::string encode_usage_event(const CompletionHead& head, const CompletionUsage& usage);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

// {"error": {"message", "type", "code"}}
std::string encode_openai_error(const Refusal& refusal);
std::string encode_openai_models(const std::vector<std::string>& names, int64_t created_s);

}  // namespace edgewright
