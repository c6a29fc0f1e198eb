#include "llm/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <map>

#include "llm/config_fields.h"
#include "llm/sentencepiece_model.h"

namespace edgewright {
namespace {

// GPT-2's (Radford et al. 2019), which ByteLevel uses where no other is given.
constexpr const char* kByteLevelPattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
// Unicode's White_Space; PCRE2's own \s also takes U+180E.
constexpr const char* kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
// Steps of one match; real patterns take a few per byte.
constexpr uint32_t kMatchLimit = 1'000'000;
constexpr size_t kMaxSteps = 32;

// Writes \s and \S out, inside and outside of classes.
std::string with_unicode_spaces(const std::string& expression) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '\\' && i + 1 < expression.size()) {
      const char next = expression[++i];
      if (next == 's') {
        out += in_class ? kSpaces : fmt::format("[{}]", kSpaces);
      } else if (next == 'S' && !in_class) {
        out += fmt::format("[^{}]", kSpaces);
      } else {
        out += c;
        out += next;
      }
      continue;
    }
    if (c == '[' && !in_class) {
      in_class = true;
    } else if (c == ']') {
      in_class = false;
    }
    out += c;
  }
  return out;
}

using Step = PreTokenizerStep;

Result<Step::Behaviour> behaviour_of(const std::string& name) {
  static const std::map<std::string, Step::Behaviour> kNames = {
      {"Isolated", Step::Behaviour::kIsolated},
      {"Removed", Step::Behaviour::kRemoved},
      {"MergedWithPrevious", Step::Behaviour::kWithPrevious},
      {"MergedWithNext", Step::Behaviour::kWithNext},
      {"Contiguous", Step::Behaviour::kContiguous},
  };
  const auto found = kNames.find(name);
  if (found != kNames.end()) return found->second;
  return unread_name("split behaviour", name, {});
}

Result<Step> parse_split(Fields& fields) {
  Step step;
  const Json& pattern = fields.at("pattern");
  Fields inner(pattern);
  if (inner.has("Regex")) {
    EDGEWRIGHT_ASSIGN(step.pattern, SplitPattern::compile(inner.text("Regex", "")));
  } else {
    step.pattern = SplitPattern::literal(inner.text("String", ""));
  }
  step.has_pattern = true;
  EDGEWRIGHT_TRY(inner.status());
  EDGEWRIGHT_ASSIGN(step.behaviour, behaviour_of(fields.text("behavior", "Isolated")));
  step.invert = fields.flag("invert", false);
  return step;
}

Result<Step> parse_byte_level(Fields& fields) {
  Step step;
  step.kind = Step::Kind::kByteLevel;
  step.add_prefix_space = fields.flag("add_prefix_space", true);
  if (fields.flag("use_regex", true)) {
    step.has_pattern = true;
    EDGEWRIGHT_ASSIGN(step.pattern, SplitPattern::compile(kByteLevelPattern));
  }
  return step;
}

Result<Step> parse_fixed(const char* expression, Step::Behaviour behaviour, bool invert) {
  Step step;
  step.has_pattern = true;
  EDGEWRIGHT_ASSIGN(step.pattern, SplitPattern::compile(expression));
  step.behaviour = behaviour;
  step.invert = invert;
  return step;
}

Result<Step> parse_step(const Json& json) {
  Fields fields(json);
  const std::string type = fields.text("type", "");
  Result<Step> step = [&]() -> Result<Step> {
    if (type == "Split") return parse_split(fields);
    if (type == "ByteLevel") return parse_byte_level(fields);
    if (type == "Digits") {
      const bool single = fields.flag("individual_digits", false);
      return parse_fixed(R"(\p{N})",
                         single ? Step::Behaviour::kIsolated : Step::Behaviour::kContiguous, false);
    }
    if (type == "Whitespace") {
      return parse_fixed(R"(\w+|[^\w\s]+)", Step::Behaviour::kRemoved, true);
    }
    if (type == "WhitespaceSplit") return parse_fixed(R"(\s)", Step::Behaviour::kRemoved, false);
    if (type == "Metaspace") {
      Step made;
      made.kind = Step::Kind::kMetaspace;
      made.mark = fields.text("replacement", "\xe2\x96\x81");
      const std::string scheme = fields.text("prepend_scheme", "always");
      made.add_prefix_space = fields.flag("add_prefix_space", scheme != "never");
      made.invert = scheme == "first";  // only at the beginning of the text
      made.has_pattern = fields.flag("split", true);
      made.pattern = SplitPattern::literal(made.mark);
      made.behaviour = Step::Behaviour::kWithNext;
      return made;
    }
    return unread_name(
        "pre-tokenizer", type,
        {"BertPreTokenizer", "CharDelimiterSplit", "FixedLength", "Punctuation", "UnicodeScripts"});
  }();
  EDGEWRIGHT_TRY(fields.status());
  return step;
}

struct Piece {
  std::string_view text;
  bool matched;
};

std::vector<Piece> cut(const Step& step, std::string_view text) {
  std::vector<Piece> pieces;
  size_t at = 0;
  for (const SplitPattern::Match match : step.pattern.matches(text)) {
    if (match.begin > at) pieces.push_back({text.substr(at, match.begin - at), step.invert});
    pieces.push_back({text.substr(match.begin, match.end - match.begin), !step.invert});
    at = match.end;
  }
  if (at < text.size()) pieces.push_back({text.substr(at), step.invert});
  return pieces;
}

std::string_view joined(std::string_view a, std::string_view b) {
  return {a.data(), a.size() + b.size()};
}

// Words from matches and gaps, which lie side by side in the text.
std::vector<std::string_view> words_of(Step::Behaviour behaviour,
                                       const std::vector<Piece>& pieces) {
  std::vector<std::string_view> words;
  bool previous_matched = false;
  bool joinable = false;  // the last word may take the next piece
  for (const Piece& piece : pieces) {
    switch (behaviour) {
      case Step::Behaviour::kRemoved:
        if (!piece.matched) words.push_back(piece.text);
        break;
      case Step::Behaviour::kIsolated: words.push_back(piece.text); break;
      case Step::Behaviour::kContiguous:
        if (joinable && piece.matched == previous_matched) {
          words.back() = joined(words.back(), piece.text);
        } else {
          words.push_back(piece.text);
        }
        break;
      case Step::Behaviour::kWithPrevious:
        if (piece.matched && joinable && !previous_matched) {
          words.back() = joined(words.back(), piece.text);
        } else {
          words.push_back(piece.text);
        }
        break;
      case Step::Behaviour::kWithNext:
        if (joinable && previous_matched && !piece.matched) {
          words.back() = joined(words.back(), piece.text);
        } else {
          words.push_back(piece.text);
        }
        break;
    }
    previous_matched = piece.matched;
    joinable = true;
  }
  return words;
}

std::vector<std::string> run_step(const Step& step, std::string word, bool first) {
  if (step.kind == Step::Kind::kMetaspace) {
    std::string marked;
    for (const char c : word) {
      if (c == ' ') {
        marked += step.mark;
      } else {
        marked += c;
      }
    }
    const bool wanted = step.add_prefix_space && (!step.invert || first);
    if (wanted && !marked.starts_with(step.mark)) marked.insert(0, step.mark);
    word = std::move(marked);
  } else if (step.kind == Step::Kind::kByteLevel && step.add_prefix_space &&
             !word.starts_with(' ')) {
    word.insert(0, " ");
  }
  std::vector<std::string> words;
  if (!step.has_pattern) {
    words.push_back(std::move(word));
  } else if (step.kind == Step::Kind::kMetaspace) {
    Step plain = step;
    plain.invert = false;
    for (const auto part : words_of(step.behaviour, cut(plain, word))) words.emplace_back(part);
  } else {
    for (const auto part : words_of(step.behaviour, cut(step, word))) words.emplace_back(part);
  }
  if (step.kind == Step::Kind::kByteLevel) {
    for (std::string& part : words) part = bytes_to_characters(part);
  }
  return words;
}

uint32_t character_of(uint8_t byte) {
  const auto printable = [](uint32_t c) {
    return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
  };
  if (printable(byte)) return byte;
  uint32_t next = 256;
  for (uint32_t c = 0; c < byte; ++c) next += printable(c) ? 0 : 1;
  return next;
}

struct ByteTables {
  std::array<std::string, 256> characters;
  std::map<std::string, char, std::less<>> bytes;

  ByteTables() {
    for (int i = 0; i < 256; ++i) {
      const uint32_t c = character_of(static_cast<uint8_t>(i));
      std::string& text = characters[static_cast<size_t>(i)];
      if (c < 0x80) {
        text = static_cast<char>(c);
      } else {
        text = {static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
      }
      bytes.emplace(text, static_cast<char>(i));
    }
  }
};

const ByteTables& byte_tables() {
  static const ByteTables tables;
  return tables;
}

}  // namespace

struct SplitPattern::Compiled {
  pcre2_code* code = nullptr;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { pcre2_code_free(code); }
};

Result<SplitPattern> SplitPattern::compile(const std::string& expression) {
  const std::string text = with_unicode_spaces(expression);
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto compiled = std::make_shared<Compiled>();
  compiled->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                    &error, &offset, nullptr);
  if (compiled->code == nullptr) {
    PCRE2_UCHAR message[128] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    return bad_input("the regular expression does not compile at {}: {}", offset,
                     reinterpret_cast<const char*>(message));
  }
  // Without the compiler to machine code it is only slower.
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);
  SplitPattern pattern;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

SplitPattern SplitPattern::literal(std::string text) {
  SplitPattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

std::vector<SplitPattern::Match> SplitPattern::matches(std::string_view text) const {
  std::vector<Match> found;
  if (!compiled_) {
    if (literal_.empty()) return found;
    for (size_t at = text.find(literal_); at != std::string_view::npos;
         at = text.find(literal_, at + literal_.size())) {
      found.push_back({at, at + literal_.size()});
    }
    return found;
  }
  struct FreeData {
    void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  };
  struct FreeContext {
    void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  };
  const std::unique_ptr<pcre2_match_data, FreeData> data(
      pcre2_match_data_create_from_pattern(compiled_->code, nullptr));
  const std::unique_ptr<pcre2_match_context, FreeContext> context(
      pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(context.get(), kMatchLimit);
  size_t at = 0;
  while (at <= text.size()) {
    const int count = pcre2_match(compiled_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), at, 0, data.get(), context.get());
    if (count < 0) break;
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    // \K can put the beginning behind the end.
    if (ends[1] < at || ends[0] < at || ends[0] > ends[1]) break;
    if (ends[1] > ends[0]) found.push_back({ends[0], ends[1]});
    at = ends[1] > ends[0] ? ends[1]
                           : ends[1] + std::max<size_t>(1, utf8_length(text.substr(ends[1])));
  }
  return found;
}

Result<std::vector<PreTokenizerStep>> parse_pre_tokenizer(const Json& json) {
  std::vector<Step> steps;
  if (json.is_null()) return steps;
  Fields fields(json);
  if (fields.text("type", "") != "Sequence") {
    EDGEWRIGHT_ASSIGN(Step step, parse_step(json));
    steps.push_back(std::move(step));
    return steps;
  }
  const Json& list = fields.at("pretokenizers");
  if (!list.is_array() || list.size() > kMaxSteps) {
    return bad_input("expected at most {} pre-tokenizers", kMaxSteps);
  }
  for (const Json& entry : list) {
    EDGEWRIGHT_ASSIGN(Step step, parse_step(entry));
    steps.push_back(std::move(step));
  }
  return steps;
}

std::vector<std::string> pre_tokenize(const std::vector<PreTokenizerStep>& steps,
                                      std::string_view text, bool first) {
  std::vector<std::string> words = {std::string(text)};
  for (const Step& step : steps) {
    std::vector<std::string> next;
    for (size_t i = 0; i < words.size(); ++i) {
      for (std::string& part : run_step(step, std::move(words[i]), first && i == 0)) {
        if (!part.empty()) next.push_back(std::move(part));
      }
    }
    words = std::move(next);
  }
  return words;
}

std::string bytes_to_characters(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += byte_tables().characters[static_cast<uint8_t>(c)];
  return out;
}

std::string characters_to_bytes(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = std::max<size_t>(1, utf8_length(text));
    const auto found = byte_tables().bytes.find(text.substr(0, length));
    if (found != byte_tables().bytes.end()) {
      out += found->second;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace edgewright
