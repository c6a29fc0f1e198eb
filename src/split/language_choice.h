#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "split/cut_choice.h"
#include "split/speculation.h"

namespace edgewright {

// What is known of a language model that a device and a server share. Times in milliseconds; those
// of the server are absent where it does not have that part.
struct SharedTimes {
  int prompt_tokens = 0, answer_tokens = 0, layers = 0;
  double device_prompt_ms = 0, device_step_ms = 0;  // of a token of the prompt; of the answer
  double server_prompt_ms = 0, server_step_ms = 0;  // of all layers
  bool has_prompt = false, has_layers = false;      // at the server
  double cache_bytes = 0, state_bytes = 0;  // of a token: keys and values; what comes between
                                            // layers
  double answer_bytes = 4;                  // from the server for each token, with layers
  LinkEstimate link;
  // With a small model here; the round trip is that of the link.
  std::optional<SpeculationCosts> draft;
  double acceptance = 0.7;
};

enum class LanguageWay : uint8_t { kDevice, kPrompt, kLayers, kDraft };
// "device", "prompt", "layers", "draft".
std::string_view language_way_name(LanguageWay way);

struct LanguageWayPlan {
  LanguageWay way = LanguageWay::kDevice;
  int device_layers = 0;  // of kLayers
  double total_ms = 0;    // until the last token
};
// Everything here: prompt and steps of the device.
// The prompt there: a round trip, the tokens up, keys and values down, the server's prompt, the
// device's steps.
// Layers here and there: the prompt and every step in both parts, and a round trip for each.
// Drafts: the server's prompt, then what speculation takes a token (split/speculation.h); where it
// is off, the server's steps, a round trip for every 32 tokens.
// Ways that the server has no part for are left out; the quickest first.
std::vector<LanguageWayPlan> plan_language(const SharedTimes& figures);

}  // namespace edgewright
