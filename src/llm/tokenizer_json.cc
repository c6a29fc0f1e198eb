#include <map>
#include <optional>

#include "base/quote.h"
#include "llm/bpe.h"
#include "llm/config_fields.h"
#include "llm/pre_tokenizer.h"
#include "llm/special_tokens.h"
#include "llm/tokenizer.h"
#include "llm/unicode.h"

namespace edgewright {
namespace {

constexpr std::string_view kSpaceMark = "\xe2\x96\x81";
constexpr size_t kMaxAdded = size_t{1} << 20;
constexpr size_t kMaxNormalizers = 32;

// One step of tokenizer.json's "normalizer".
struct NormaliserStep {
  enum class Kind : uint8_t { kForm, kPrepend, kReplace } kind = Kind::kForm;
  UnicodeForm form = UnicodeForm::kNfc;
  std::string text;  // what is prepended, or put in place
  SplitPattern pattern;
};

Status parse_normaliser(const Json& json, int depth, std::vector<NormaliserStep>& steps) {
  if (json.is_null()) return {};
  static const std::map<std::string, UnicodeForm> kForms = {{"NFC", UnicodeForm::kNfc},
                                                            {"NFD", UnicodeForm::kNfd},
                                                            {"NFKC", UnicodeForm::kNfkc},
                                                            {"NFKD", UnicodeForm::kNfkd}};
  Fields fields(json);
  const std::string type = fields.text("type", "");
  if (type == "Sequence") {
    const Json& list = fields.at("normalizers");
    if (!list.is_array() || list.size() > kMaxNormalizers || depth > 4) {
      return bad_input("expected at most {} normalizers", kMaxNormalizers);
    }
    for (const Json& entry : list) EDGEWRIGHT_TRY(parse_normaliser(entry, depth + 1, steps));
    return {};
  }
  NormaliserStep step;
  if (const auto form = kForms.find(type); form != kForms.end()) {
    step.form = form->second;
  } else if (type == "Prepend") {
    step.kind = NormaliserStep::Kind::kPrepend;
    step.text = fields.text("prepend", "");
  } else if (type == "Replace") {
    step.kind = NormaliserStep::Kind::kReplace;
    step.text = fields.text("content", "");
    Fields pattern(fields.at("pattern"));
    if (pattern.has("Regex")) {
      EDGEWRIGHT_ASSIGN(step.pattern, SplitPattern::compile(pattern.text("Regex", "")));
    } else {
      step.pattern = SplitPattern::literal(pattern.text("String", ""));
    }
    EDGEWRIGHT_TRY(pattern.status());
  } else {
    return unread_name("normalizer", type,
                       {"BertNormalizer", "ByteLevel", "Lowercase", "Nmt", "Precompiled", "Strip",
                        "StripAccents"});
  }
  EDGEWRIGHT_TRY(fields.status());
  steps.push_back(std::move(step));
  return {};
}

std::string replace_all(const SplitPattern& pattern, std::string_view text, std::string_view with) {
  std::string out;
  size_t at = 0;
  for (const SplitPattern::Match match : pattern.matches(text)) {
    out += text.substr(at, match.begin - at);
    out += with;
    at = match.end;
  }
  return out += text.substr(at);
}

std::string run_normaliser(const std::vector<NormaliserStep>& steps, std::string_view text) {
  std::string out(text);
  for (const NormaliserStep& step : steps) {
    switch (step.kind) {
      case NormaliserStep::Kind::kForm: out = to_unicode_form(out, step.form); break;
      case NormaliserStep::Kind::kPrepend:
        if (!out.empty()) out.insert(0, step.text);
        break;
      case NormaliserStep::Kind::kReplace: out = replace_all(step.pattern, out, step.text); break;
    }
  }
  return out;
}

struct AddedToken {
  std::string text;
  int id = 0;
  bool special = false, normalised = false, strip_left = false, strip_right = false;
};

Result<std::vector<AddedToken>> parse_added(const Json& list) {
  std::vector<AddedToken> added;
  if (list.is_null()) return added;
  if (!list.is_array() || list.size() > kMaxAdded) {
    return bad_input("expected \"added_tokens\" as a list");
  }
  for (const Json& entry : list) {
    Fields fields(entry);
    AddedToken token;
    token.text = fields.text("content", "");
    token.id = fields.integer("id", -1);
    token.special = fields.flag("special", false);
    token.normalised = fields.flag("normalized", false);
    token.strip_left = fields.flag("lstrip", false);
    token.strip_right = fields.flag("rstrip", false);
    EDGEWRIGHT_TRY(fields.status());
    if (token.text.empty() || token.id < 0 || token.id >= (1 << 22)) {
      return bad_input("found a malformed added token {}", edgewright::quoted(token.text));
    }
    added.push_back(std::move(token));
  }
  return added;
}

// Whether the template of the post-processor begins with a special token.
bool template_adds_bos(const Json& processor) {
  if (!processor.is_object()) return false;
  const auto steps = processor.find("processors");
  if (steps != processor.end() && steps->is_array()) {
    for (const Json& step : *steps) {
      if (template_adds_bos(step)) return true;
    }
    return false;
  }
  const auto single = processor.find("single");
  return single != processor.end() && single->is_array() && !single->empty() &&
         (*single)[0].is_object() && (*single)[0].contains("SpecialToken");
}

// How tokens become text again, from tokenizer.json's "decoder".
struct Decoding {
  bool byte_level = false, space_mark = false, strip_first = false;
};

void read_decoder(const Json& json, Decoding& decoding) {
  if (!json.is_object()) return;
  const auto type = json.find("type");
  if (type == json.end()) return;
  if (*type == "ByteLevel") decoding.byte_level = true;
  if (*type == "Metaspace") decoding.space_mark = decoding.strip_first = true;
  if (*type == "Replace") decoding.space_mark = true;
  if (*type == "Strip") decoding.strip_first = true;
  const auto list = json.find("decoders");
  if (list == json.end() || !list->is_array()) return;
  for (const Json& step : *list) {
    if (step.is_object() && !step.contains("decoders")) read_decoder(step, decoding);
  }
}

class JsonTokenizer final : public Tokenizer {
 public:
  Status load(const TokenizerJson& json) {
    Fields fields(json.rest);
    Fields model(fields.at("model"));
    const std::string type = model.text("type", "BPE");
    if (type != "BPE") {
      return unread_name("tokenizer model", type, {"Unigram", "WordLevel", "WordPiece"});
    }
    EDGEWRIGHT_ASSIGN(pairs_, BytePairs::parse(json));
    EDGEWRIGHT_TRY(parse_normaliser(fields.at("normalizer"), 0, normaliser_));
    EDGEWRIGHT_ASSIGN(steps_, parse_pre_tokenizer(fields.at("pre_tokenizer")));
    EDGEWRIGHT_ASSIGN(const auto added, parse_added(fields.at("added_tokens")));
    read_decoder(fields.at("decoder"), decoding_);
    adds_bos_ = template_adds_bos(fields.at("post_processor"));
    add(added);
    return {};
  }

  std::vector<int> encode(std::string_view text, bool special) const override {
    std::vector<int> tokens;
    bool first = true;
    raw_.split(text, special, [&](std::string_view part, int token) {
      if (token >= 0) {
        tokens.push_back(token);
      } else {
        encode_normalised(run_normaliser(normaliser_, part), special, first, tokens);
      }
      first = false;
    });
    return tokens;
  }

  std::string token_bytes(int token, bool special) const override {
    if (token < 0 || token >= size_) return "";
    if (const auto added = added_.find(token); added != added_.end()) {
      return added->second.special && !special ? "" : added->second.text;
    }
    if (token >= pairs_.size()) return "";
    const std::string& text = pairs_.text(token);
    if (decoding_.byte_level) return characters_to_bytes(text);
    if (pairs_.byte_fallback() && text.size() == 6 && text.starts_with("<0x") && text[5] == '>') {
      return std::string(1, static_cast<char>(std::strtol(text.substr(3, 2).c_str(), nullptr, 16)));
    }
    if (!decoding_.space_mark) return text;
    return replace_all(mark_, text, " ");
  }

  int size() const override { return size_; }
  int find(std::string_view name) const override {
    for (const auto& [id, token] : added_) {
      if (token.text == name) return id;
    }
    return pairs_.find(name);
  }
  bool is_special(int token) const override {
    const auto found = added_.find(token);
    return found != added_.end() && found->second.special;
  }
  bool strips_first_space() const override { return decoding_.strip_first; }
  bool adds_bos() const override { return adds_bos_; }

 private:
  void add(const std::vector<AddedToken>& added) {
    size_ = pairs_.size();
    for (const AddedToken& token : added) {
      SpecialTokens& where = token.normalised ? normalised_ : raw_;
      where.add(token.normalised ? run_normaliser(normaliser_, token.text) : token.text, token.id,
                !token.special, token.strip_left, token.strip_right);
      added_.emplace(token.id, token);
      size_ = std::max(size_, token.id + 1);
    }
  }

  void encode_normalised(std::string_view text, bool special, bool first,
                         std::vector<int>& tokens) const {
    normalised_.split(text, special, [&](std::string_view part, int token) {
      if (token >= 0) {
        tokens.push_back(token);
      } else {
        for (const std::string& word : pre_tokenize(steps_, part, first)) {
          pairs_.encode(word, tokens);
        }
      }
      first = false;
    });
  }

  BytePairs pairs_;
  std::vector<NormaliserStep> normaliser_;
  std::vector<PreTokenizerStep> steps_;
  SpecialTokens raw_, normalised_;  // found before and after normalising
  std::map<int, AddedToken> added_;
  Decoding decoding_;
  SplitPattern mark_ = SplitPattern::literal(std::string(kSpaceMark));
  int size_ = 0;
  bool adds_bos_ = false;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> open_tokenizer_json(std::string_view text) {
  EDGEWRIGHT_ASSIGN(const TokenizerJson json, parse_tokenizer_json(text));
  auto tokenizer = std::make_unique<JsonTokenizer>();
  EDGEWRIGHT_TRY(tokenizer->load(json));
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace edgewright
