#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llm/sampler.h"

namespace edgewright {

enum class FinishReason : uint8_t {
  kNone,       // still running
  kEnd,        // the model ended its text
  kStop,       // a stop string appeared
  kLength,     // max_tokens were made
  kContext,    // the context is full
  kCancelled,  // the caller did not want more
};
// "end", "stop", ...
std::string_view finish_name(FinishReason reason);

// What happens when prompt and answer do not fit the context.
enum class Overflow : uint8_t {
  kStop,   // a long prompt is refused; the answer ends with the context
  kSlide,  // the last half of the context is computed afresh as a prompt, again and again
};

// One token of an answer as it comes.
struct TokenEvent {
  int token = -1;
  std::string_view text;                   // what is certain to be shown now; may be empty
  const Likelihood* likelihood = nullptr;  // by the model's own distribution; where asked for
};

struct TextRequest {
  std::vector<int> prompt;  // not empty, beginning-of-text included
  int max_tokens = 128;
  Sampling sampling;
  std::vector<std::string> stop_strings;
  bool log_probabilities = false;
  // Of the prompt's tokens too, all but the first. Its keys and values are computed anew for it.
  bool prompt_log_probabilities = false;
  int likeliest = 0;        // tokens that are told with each of those
  bool ignore_end = false;  // goes on where the model ends its text; for measurements
  Overflow overflow = Overflow::kStop;
  std::function<bool(const TokenEvent&)> on_token;  // false: cancelled; may be empty
};

// What one request cost, as far as the meter's windows since its beginning say (energy_ledger.h).
struct RequestEnergy {
  bool measured = false;
  double energy_j = 0;
  double window_s = 0;   // from the reading before its first pass to the last reading
  int64_t readings = 0;  // of the meter in that window
};

struct TextResult {
  int64_t id = 0;
  std::vector<int> tokens;                     // of the answer, an end token not included
  std::vector<Likelihood> likelihoods;         // of the tokens, where asked for
  std::vector<Likelihood> prompt_likelihoods;  // of the prompt's from the second on
  std::string text;
  FinishReason finish = FinishReason::kNone;
  int prompt_tokens = 0;
  int reused_tokens = 0;  // of the prompt, whose keys and values were there already
  int light_tokens = 0;   // of the answer, computed with the weights of fewer bits
  RequestEnergy energy;
};

}  // namespace edgewright
