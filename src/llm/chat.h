#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/packed_model.h"
#include "llm/tokenizer.h"

namespace edgewright {

struct ChatTurn {
  std::string role, content;  // role: "system", "user" or "assistant"
};

// What templates write for the beginning and the end of a text.
struct ChatMarks {
  std::string bos, eos;
};

// The conversation as a model's chat template (Jinja; template/template.h) writes it, up to where
// the assistant begins to speak, without tools; an empty template gives plain "User:" and
// "Assistant:" lines. A template that refuses a system turn gets its text before that of the first
// user turn. What else a template refuses is wrong usage with its own message.
Result<std::string> format_chat(std::string_view chat_template, const std::vector<ChatTurn>& turns,
                                const ChatMarks& marks = {});
// Texts after which the assistant's turn is over, where no token says so.
std::vector<std::string> chat_stop_strings(std::string_view chat_template);

// The tokens of a conversation. A template says itself where the beginning-of-text token stands.
Result<std::vector<int>> chat_tokens(const PackedModel& model, const Tokenizer& tokenizer,
                                     const std::vector<ChatTurn>& turns);

}  // namespace edgewright
