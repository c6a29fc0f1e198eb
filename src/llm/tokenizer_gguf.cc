#include "llm/tokenizer_gguf.h"

#include <algorithm>
#include <charconv>

#include "base/quote.h"
#include "llm/bpe.h"
#include "llm/config_fields.h"
#include "llm/sentencepiece_model.h"
#include "llm/tokenizer.h"

namespace edgewright {
namespace {

// Key of our own: the map of characters of a SentencePiece normaliser, for which the format has no
// place in files of kind "llama"; hexadecimal.
constexpr const char* kCharacterMap = "edgewright.character_map";
constexpr const char* kRemoveSpaces = "tokenizer.ggml.remove_extra_whitespaces";

constexpr const char* kGpt2Pattern =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Names of pre-tokenizers and what the original tokenizer.json of those models says.
struct PreTokenizerName {
  std::string_view name;
  const char* pattern;
  bool single_digits, ignore_merges, nfc;
};
constexpr PreTokenizerName kPreTokenizers[] = {
    {"default", kGpt2Pattern, false, false, false},
    {"gpt-2", kGpt2Pattern, false, false, false},
    {"smollm", kGpt2Pattern, true, false, false},
    {"llama-bpe",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     false, true, false},
    {"qwen2",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     false, false, true},
};

Result<std::string> from_hex(const std::string& digits) {
  std::string out;
  if (digits.size() % 2 != 0) return bad_input("{}: expected pairs of digits", kCharacterMap);
  for (size_t i = 0; i < digits.size(); i += 2) {
    unsigned value = 0;
    const auto [end, code] = std::from_chars(&digits[i], &digits[i] + 2, value, 16);
    if (code != std::errc() || end != &digits[i] + 2) {
      return bad_input("{}: expected hexadecimal digits", kCharacterMap);
    }
    out += static_cast<char>(value);
  }
  return out;
}

Result<std::string> sentencepiece_of(Fields& fields, const Json& tokens, const Json& types) {
  SentencePieceModel model;
  const Json& scores = fields.at("tokenizer.ggml.scores");
  if (scores.is_array() && scores.size() != tokens.size()) {
    return bad_input("found {} scores for {} tokens", scores.size(), tokens.size());
  }
  model.unigram = false;
  model.dummy_prefix = fields.flag("tokenizer.ggml.add_space_prefix", true);
  model.remove_extra_spaces = fields.flag(kRemoveSpaces, false);
  for (size_t i = 0; i < tokens.size(); ++i) {
    SentencePieceModel::Piece piece;
    piece.text = tokens[i].get<std::string>();
    if (piece.text.empty()) return bad_input("token {} is empty", i);
    if (scores.is_array() && scores[i].is_number()) piece.score = scores[i].get<float>();
    if (types.is_array() && types[i].is_number_integer()) piece.type = types[i].get<int>();
    model.byte_fallback = model.byte_fallback || piece.type == SentencePieceModel::kByte;
    model.pieces.push_back(std::move(piece));
  }
  EDGEWRIGHT_ASSIGN(model.character_map, from_hex(fields.text(kCharacterMap, "")));
  EDGEWRIGHT_TRY(fields.status());
  return serialise_sentencepiece(model);
}

Result<std::string> tokenizer_json_of(Fields& fields, const Json& tokens, const Json& types) {
  const std::string pre = fields.text("tokenizer.ggml.pre", "default");
  const auto* row = std::ranges::find(kPreTokenizers, pre, &PreTokenizerName::name);
  if (row == std::end(kPreTokenizers)) {
    // New models bring new names, all of them plain.
    if (!is_plain_name(pre, "-_.")) {
      return bad_input("pre-tokenizer {} is no name", edgewright::quoted(pre));
    }
    return unsupported(
        "pre-tokenizer \"{}\" is not supported; put the original tokenizer.json "
        "beside the file",
        pre);
  }
  // Inserting moves what is there, so that every part is made before it is put in its place.
  Json list = Json::array();
  if (row->single_digits) list.push_back({{"type", "Digits"}, {"individual_digits", true}});
  list.push_back(
      {{"type", "Split"}, {"pattern", {{"Regex", row->pattern}}}, {"behavior", "Isolated"}});
  list.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  Json added = Json::array();
  // As text: an object of so many entries would be slow to make.
  std::string vocabulary;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int type = types.is_array() && types[i].is_number_integer() ? types[i].get<int>() : 1;
    const bool control = type == SentencePieceModel::kControl;
    if (control || type == SentencePieceModel::kUserDefined) {
      added.push_back({{"id", i}, {"content", tokens[i]}, {"special", control}});
    }
    vocabulary += fmt::format("{}{}:{}", i == 0 ? "" : ",",
                              tokens[i].dump(-1, ' ', false, Json::error_handler_t::replace), i);
  }
  const Json& merges = fields.at("tokenizer.ggml.merges");
  Json json;
  if (row->nfc) json["normalizer"] = {{"type", "NFC"}};
  json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", std::move(list)}};
  json["decoder"] = {{"type", "ByteLevel"}};
  json["added_tokens"] = std::move(added);
  json["model"] = {{"type", "BPE"}, {"ignore_merges", row->ignore_merges}};
  json["model"]["merges"] = merges.is_array() ? merges : Json::array();
  EDGEWRIGHT_TRY(fields.status());
  json["model"]["vocab"] = "VOCABULARY";
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string mark = "\"VOCABULARY\"";
  // The last one: merges, which may hold any text, stand before it.
  text.replace(text.rfind(mark), mark.size(), "{" + vocabulary + "}");
  return text;
}

Status sentencepiece_to_gguf(const SentencePieceModel& model, Json& json) {
  json["tokenizer.ggml.model"] = "llama";
  json["tokenizer.ggml.add_space_prefix"] = model.dummy_prefix;
  json[kRemoveSpaces] = model.remove_extra_spaces;
  if (!model.character_map.empty()) json[kCharacterMap] = hex(model.character_map);
  Json tokens = Json::array();
  Json scores = Json::array();
  Json types = Json::array();
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    tokens.push_back(piece.text);
    scores.push_back(piece.score);
    types.push_back(piece.type);
  }
  json["tokenizer.ggml.tokens"] = std::move(tokens);
  json["tokenizer.ggml.scores"] = std::move(scores);
  json["tokenizer.ggml.token_type"] = std::move(types);
  return {};
}

Status tokenizer_json_to_gguf(const std::string& text, int vocabulary, Json& json) {
  EDGEWRIGHT_ASSIGN(const TokenizerJson parsed, parse_tokenizer_json(text));
  const Json& source = parsed.rest;
  json["tokenizer.ggml.model"] = "gpt2";
  const bool nfc = text.find("\"NFC\"") != std::string::npos;
  const bool triples = text.find("{1,3}") != std::string::npos;
  json["tokenizer.ggml.pre"] = nfc ? "qwen2" : triples ? "llama-bpe" : "default";
  std::vector<std::string> tokens(static_cast<size_t>(vocabulary));
  std::vector<int> types(tokens.size(), SentencePieceModel::kUnused);
  for (const auto& [token, id] : parsed.vocabulary) {
    const auto at = id.get<size_t>();
    if (at >= tokens.size()) return bad_input("tokenizer.json has more tokens than the model");
    tokens[at] = token;
    types[at] = SentencePieceModel::kNormal;
  }
  if (source.contains("added_tokens")) {
    for (const Json& added : source["added_tokens"]) {
      const auto at = added["id"].get<size_t>();
      if (at >= tokens.size()) return bad_input("tokenizer.json has more tokens than the model");
      tokens[at] = added["content"].get<std::string>();
      types[at] = added.value("special", false) ? SentencePieceModel::kControl
                                                : SentencePieceModel::kUserDefined;
    }
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) tokens[i] = fmt::format("[PAD{}]", i);
  }
  json["tokenizer.ggml.tokens"] = tokens;
  json["tokenizer.ggml.token_type"] = types;
  Json& merges = json["tokenizer.ggml.merges"] = Json::array();
  for (const Json& merge : source["model"]["merges"]) {
    merges.push_back(merge.is_array()
                         ? Json(merge[0].get<std::string>() + " " + merge[1].get<std::string>())
                         : merge);
  }
  return {};
}

}  // namespace

Result<TokenizerSource> tokenizer_from_gguf(const Json& metadata) {
  Fields fields(metadata);
  TokenizerSource source;
  const Json& tokens = fields.at("tokenizer.ggml.tokens");
  const Json& types = fields.at("tokenizer.ggml.token_type");
  if (!tokens.is_array() || tokens.empty()) return source;
  const bool texts = std::ranges::all_of(tokens, [](const Json& t) { return t.is_string(); });
  if (!texts || (types.is_array() && types.size() != tokens.size())) {
    return bad_input("expected the tokens as texts, each with a type");
  }
  const std::string kind = fields.text("tokenizer.ggml.model", "");
  if (kind == "llama") {
    source.kind = TokenizerSource::Kind::kSentencePiece;
    EDGEWRIGHT_ASSIGN(source.data, sentencepiece_of(fields, tokens, types));
  } else if (kind == "gpt2") {
    source.kind = TokenizerSource::Kind::kJson;
    EDGEWRIGHT_ASSIGN(source.data, tokenizer_json_of(fields, tokens, types));
  } else {
    return unread_name("tokenizer model", kind,
                       {"bert", "no_vocab", "none", "plamo2", "replit", "rwkv", "t5"});
  }
  if (fields.has("tokenizer.ggml.add_bos_token")) {
    source.add_bos = fields.flag("tokenizer.ggml.add_bos_token", true);
  }
  source.chat_template = fields.text("tokenizer.chat_template", "");
  EDGEWRIGHT_TRY(fields.status());
  return source;
}

Result<Json> tokenizer_to_gguf(const TokenizerSource& tokenizer, const ModelConfig& config) {
  Json json = Json::object();
  if (tokenizer.kind == TokenizerSource::Kind::kSentencePiece) {
    EDGEWRIGHT_ASSIGN(const SentencePieceModel model, parse_sentencepiece(tokenizer.data));
    EDGEWRIGHT_TRY(sentencepiece_to_gguf(model, json));
  } else if (tokenizer.kind == TokenizerSource::Kind::kJson) {
    // Opening it checks what the writing takes for granted.
    auto opened = open_tokenizer_json(tokenizer.data);
    if (!opened.ok()) return std::move(opened).error();
    EDGEWRIGHT_TRY(tokenizer_json_to_gguf(tokenizer.data, config.vocabulary, json));
  }
  if (config.bos >= 0) json["tokenizer.ggml.bos_token_id"] = config.bos;
  if (!config.eos.empty()) json["tokenizer.ggml.eos_token_id"] = config.eos[0];
  // A file has room for two: the end of a text and that of a turn.
  if (config.eos.size() > 1) json["tokenizer.ggml.eot_token_id"] = config.eos[1];
  json["tokenizer.ggml.add_bos_token"] = tokenizer.add_bos.value_or(config.bos >= 0);
  if (!tokenizer.chat_template.empty()) json["tokenizer.chat_template"] = tokenizer.chat_template;
  return json;
}

}  // namespace edgewright
