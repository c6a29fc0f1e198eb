#include "llm/special_tokens.h"

#include <algorithm>

namespace edgewright {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

}  // namespace

void SpecialTokens::add(const std::string& name, int token, bool always, bool strip_left,
                        bool strip_right) {
  if (name.empty()) return;
  auto& entries = tokens_[static_cast<unsigned char>(name[0])];
  const auto place = std::ranges::find_if(
      entries, [&](const Entry& entry) { return entry.name.size() < name.size(); });
  entries.insert(place, {name, token, always, strip_left, strip_right});
}

const SpecialTokens::Entry* SpecialTokens::match(std::string_view text, bool special) const {
  const auto found = tokens_.find(static_cast<unsigned char>(text[0]));
  if (found == tokens_.end()) return nullptr;
  for (const Entry& entry : found->second) {
    if ((special || entry.always) && text.starts_with(entry.name)) return &entry;
  }
  return nullptr;
}

void SpecialTokens::split(std::string_view text, bool special,
                          FunctionRef<void(std::string_view text, int token)> call) const {
  size_t begin = 0;
  size_t at = 0;
  while (at < text.size()) {
    const Entry* entry = match(text.substr(at), special);
    if (entry == nullptr) {
      ++at;
      continue;
    }
    size_t end = at;
    while (entry->strip_left && end > begin && is_space(text[end - 1])) --end;
    if (end > begin) call(text.substr(begin, end - begin), -1);
    call({}, entry->token);
    at += entry->name.size();
    while (entry->strip_right && at < text.size() && is_space(text[at])) ++at;
    begin = at;
  }
  if (begin < text.size()) call(text.substr(begin), -1);
}

}  // namespace edgewright
