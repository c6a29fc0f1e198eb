#include "llm/unicode.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "llm/sentencepiece_model.h"

namespace edgewright {
namespace {

utf8proc_option_t options_of(UnicodeForm form) {
  int options = UTF8PROC_STABLE;
  options |= form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc ? UTF8PROC_COMPOSE
                                                                     : UTF8PROC_DECOMPOSE;
  if (form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

void append_form(std::string_view valid, UnicodeForm form, std::string& out) {
  struct Free {
    void operator()(utf8proc_uint8_t* p) const { std::free(p); }
  };
  utf8proc_uint8_t* raw = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()),
                   static_cast<utf8proc_ssize_t>(valid.size()), &raw, options_of(form));
  const std::unique_ptr<utf8proc_uint8_t, Free> mapped(raw);
  if (length < 0) {
    out += valid;
  } else {
    out.append(reinterpret_cast<const char*>(mapped.get()), static_cast<size_t>(length));
  }
}

}  // namespace

std::string to_unicode_form(std::string_view text, UnicodeForm form) {
  std::string out;
  while (!text.empty()) {
    size_t valid = 0;
    for (size_t next = utf8_length(text); next > 0; next = utf8_length(text.substr(valid))) {
      valid += next;
    }
    if (valid > 0) append_form(text.substr(0, valid), form, out);
    text.remove_prefix(valid);
    while (!text.empty() && utf8_length(text) == 0) {
      out += text[0];
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace edgewright
