#include "llm/chat.h"

namespace edgewright {
namespace {

// How a family writes turns. "%" in `turn` is the role, "@" the content.
struct ChatFamily {
  std::string_view mark;  // in the template's text, told apart in this order
  std::string_view turn;
  std::string_view begin_answer;
  std::string_view system_role, user_role, assistant_role;
  // Families without a system turn put its text before the first user turn.
  std::string_view system_in_user;
  // Where the assistant's turns look different.
  std::string_view assistant_turn;
};

constexpr ChatFamily kFamilies[] = {
    {.mark = "<|im_start|>",
     .turn = "<|im_start|>%\n@<|im_end|>\n",
     .begin_answer = "<|im_start|>assistant\n",
     .system_role = "system",
     .user_role = "user",
     .assistant_role = "assistant"},
    {.mark = "<|start_header_id|>",
     .turn = "<|start_header_id|>%<|end_header_id|>\n\n@<|eot_id|>",
     .begin_answer = "<|start_header_id|>assistant<|end_header_id|>\n\n",
     .system_role = "system",
     .user_role = "user",
     .assistant_role = "assistant"},
    {.mark = "<start_of_turn>",
     .turn = "<start_of_turn>%\n@<end_of_turn>\n",
     .begin_answer = "<start_of_turn>model\n",
     .user_role = "user",
     .assistant_role = "model",
     .system_in_user = "@\n\n"},
    {.mark = "<|end|>",
     .turn = "<|%|>\n@<|end|>\n",
     .begin_answer = "<|assistant|>\n",
     .system_role = "system",
     .user_role = "user",
     .assistant_role = "assistant"},
    {.mark = "<<SYS>>",
     .turn = "[INST] @ [/INST]",
     .user_role = "user",
     .assistant_role = "assistant",
     .system_in_user = "<<SYS>>\n@\n<</SYS>>\n\n",
     .assistant_turn = " @ </s><s>"},
    {.mark = "[INST]",
     .turn = "[INST] @ [/INST]",
     .user_role = "user",
     .assistant_role = "assistant",
     .system_in_user = "@\n\n",
     .assistant_turn = " @</s>"},
    {.mark = "<|user|>",
     .turn = "<|%|>\n@</s>\n",
     .begin_answer = "<|assistant|>\n",
     .system_role = "system",
     .user_role = "user",
     .assistant_role = "assistant"},
    {.mark = "",
     .turn = "%: @\n",
     .begin_answer = "Assistant:",
     .user_role = "User",
     .assistant_role = "Assistant",
     .system_in_user = "@\n"},
};

const ChatFamily* family_of(std::string_view chat_template) {
  for (const ChatFamily& family : kFamilies) {
    if (family.mark.empty() ? chat_template.empty()
                            : chat_template.find(family.mark) != std::string_view::npos) {
      return &family;
    }
  }
  return nullptr;
}

std::string filled(std::string_view form, std::string_view role, std::string_view content) {
  std::string out;
  for (const char c : form) {
    if (c == '%') {
      out += role;
    } else if (c == '@') {
      out += content;
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Result<std::string> format_chat(std::string_view chat_template,
                                const std::vector<ChatTurn>& turns) {
  const ChatFamily* family = family_of(chat_template);
  if (family == nullptr) {
    return unsupported(
        "the model's chat template is of no known family; format the prompt "
        "yourself and use --prompt");
  }
  std::string out;
  std::string before_user;
  for (const ChatTurn& turn : turns) {
    if (turn.role == "system" && family->system_role.empty()) {
      before_user += filled(family->system_in_user, "", turn.content);
    } else if (turn.role == "system") {
      out += filled(family->turn, family->system_role, turn.content);
    } else if (turn.role == "user") {
      out += filled(family->turn, family->user_role, before_user + turn.content);
      before_user.clear();
    } else if (turn.role == "assistant") {
      const auto form = family->assistant_turn.empty() ? family->turn : family->assistant_turn;
      out += filled(form, family->assistant_role, turn.content);
    } else {
      return usage_error("found the role '{}', expected system, user or assistant", turn.role);
    }
  }
  return out + std::string(family->begin_answer);
}

std::vector<std::string> chat_stop_strings(std::string_view chat_template) {
  if (chat_template.empty()) return {"\nUser:"};
  return {};
}

}  // namespace edgewright
