#include "llm/chat.h"

#include <algorithm>

#include "llm/beginning.h"
#include "llm/template/template.h"

namespace edgewright {
namespace {

constexpr std::string_view kRoles[] = {"system", "user", "assistant"};

std::string plain_lines(const std::vector<ChatTurn>& turns) {
  std::string out;
  for (const ChatTurn& turn : turns) {
    if (turn.role != "system") out += turn.role == "user" ? "User: " : "Assistant: ";
    out += turn.content + "\n";
  }
  return out + "Assistant:";
}

Result<std::string> render(std::string_view chat_template, const std::vector<ChatTurn>& turns,
                           const ChatMarks& marks) {
  Json messages = Json::array();
  for (const ChatTurn& turn : turns) {
    messages.push_back({{"role", turn.role}, {"content", turn.content}});
  }
  // Templates ask whether tools and documents are given.
  return render_template(chat_template, {{"messages", std::move(messages)},
                                         {"bos_token", marks.bos},
                                         {"eos_token", marks.eos},
                                         {"add_generation_prompt", true},
                                         {"tools", nullptr},
                                         {"documents", nullptr}});
}

}  // namespace

Result<std::string> format_chat(std::string_view chat_template, const std::vector<ChatTurn>& turns,
                                const ChatMarks& marks) {
  for (const ChatTurn& turn : turns) {
    if (std::ranges::find(kRoles, turn.role) == std::end(kRoles)) {
      return usage_error("found the role '{}', expected system, user or assistant", turn.role);
    }
  }
  if (chat_template.empty()) return plain_lines(turns);
  Result<std::string> text = render(chat_template, turns, marks);
  const bool refused = !text.ok() && text.error().kind == ErrorKind::kUsage;
  const bool joins = turns.size() > 1 && turns[0].role == "system" && turns[1].role == "user";
  if (!refused || !joins) return text;
  std::vector<ChatTurn> joined(turns.begin() + 1, turns.end());
  joined[0].content = turns[0].content + "\n\n" + turns[1].content;
  return render(chat_template, joined, marks);
}

std::vector<std::string> chat_stop_strings(std::string_view chat_template) {
  if (chat_template.empty()) return {"\nUser:"};
  return {};
}

Result<std::vector<int>> chat_tokens(const PackedModel& model, const Tokenizer& tokenizer,
                                     const std::vector<ChatTurn>& turns) {
  const std::vector<int>& ends = model.config.eos;
  const ChatMarks marks = {tokenizer.token_bytes(model.config.bos, true),
                           ends.empty() ? "" : tokenizer.token_bytes(ends[0], true)};
  const std::string& chat_template = model.tokenizer.chat_template;
  EDGEWRIGHT_ASSIGN(const std::string text, format_chat(chat_template, turns, marks));
  std::vector<int> tokens = tokenizer.encode(text, true);
  if (chat_template.empty()) add_beginning(model, tokenizer, tokens);
  return tokens;
}

}  // namespace edgewright
