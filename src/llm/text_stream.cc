#include "llm/text_stream.h"

#include <algorithm>

namespace edgewright {

size_t incomplete_utf8_bytes(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return back < length ? back : 0;
  }
  return 0;
}

TextStream::TextStream(const Tokenizer& tokenizer, std::vector<std::string> stop_strings,
                       bool continues)
    : tokenizer_(tokenizer),
      stop_strings_(std::move(stop_strings)),
      first_(tokenizer.strips_first_space() && !continues) {
  std::erase(stop_strings_, "");
}

std::string TextStream::add(int token) {
  std::string bytes = tokenizer_.token_bytes(token);
  if (first_ && !bytes.empty()) {
    if (bytes[0] == ' ') bytes.erase(0, 1);
    first_ = false;
  }
  pending_ += bytes;
  size_t stop = std::string::npos;
  for (const std::string& text : stop_strings_) stop = std::min(stop, pending_.find(text));
  if (stop != std::string::npos) {
    stopped_ = true;
    std::string out = pending_.substr(0, stop);
    pending_.clear();
    return out;
  }
  const size_t certain = certain_bytes();
  std::string out = pending_.substr(0, certain);
  pending_.erase(0, certain);
  return out;
}

size_t TextStream::certain_bytes() const {
  size_t held = incomplete_utf8_bytes(pending_);
  for (const std::string& text : stop_strings_) {
    for (size_t length = std::min(text.size() - 1, pending_.size()); length > held; --length) {
      if (pending_.ends_with(std::string_view(text).substr(0, length))) {
        held = length;
        break;
      }
    }
  }
  return pending_.size() - held;
}

std::string TextStream::finish() {
  std::string out;
  out.swap(pending_);
  return out;
}

}  // namespace edgewright
