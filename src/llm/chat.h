#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

struct ChatTurn {
  std::string role, content;  // role: "system", "user" or "assistant"
};

// The conversation as the family of a chat template writes it, up to where the assistant begins to
// speak. Families are told by the marks in the template's text (ChatML, Llama 2 and 3, Mistral,
// Gemma, Phi-3, Zephyr); an empty template gives plain "User:" and "Assistant:" lines. Special
// tokens are in the text by name, without a beginning-of-text token. Unknown templates are
// unsupported.
Result<std::string> format_chat(std::string_view chat_template, const std::vector<ChatTurn>& turns);
// Texts after which the assistant's turn is over, where no token says so.
std::vector<std::string> chat_stop_strings(std::string_view chat_template);

}  // namespace edgewright
