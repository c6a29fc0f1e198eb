#include "api/language_open.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "api/language_onnx.h"
#include "base/file.h"
#include "formats/gguf/gguf.h"
#include "formats/safetensors/safetensors.h"
#include "llm/config_fields.h"
#include "llm/packed_file.h"
#include "llm/tokenizer_gguf.h"

namespace edgewright {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxConfigBytes = size_t{16} << 20;
constexpr size_t kMaxTokenizerBytes = size_t{256} << 20;

Result<Json> read_json(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMaxConfigBytes));
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return bad_input("{}: expected JSON", path);
  return json;
}

Result<ModelConfig> read_config(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const Json json, read_json(path));
  Result<ModelConfig> config = config_from_hugging_face(json);
  if (!config.ok()) return std::move(config).error().at(path);
  return config;
}

// Chat models end their turns with tokens that only generation_config.json names.
Status add_ends(const fs::path& path, ModelConfig& config) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return {};
  EDGEWRIGHT_ASSIGN(const Json json, read_json(path.string()));
  Fields fields(json);
  for (const int token : fields.end_tokens()) {
    const bool known = std::ranges::find(config.eos, token) != config.eos.end();
    if (!known) config.eos.push_back(token);
  }
  if (!fields.status().ok()) return Error(fields.status().error()).at(path.string());
  return {};
}

Result<LanguageSource> read_hugging_face(const std::string& folder) {
  LanguageSource source;
  EDGEWRIGHT_ASSIGN(source.config, read_config((fs::path(folder) / "config.json").string()));
  EDGEWRIGHT_TRY(add_ends(fs::path(folder) / "generation_config.json", source.config));
  EDGEWRIGHT_ASSIGN(source.set, read_safetensors_folder(folder));
  EDGEWRIGHT_ASSIGN(source.weights,
                    name_weights(source.config, source.set, WeightNaming::kHuggingFace));
  EDGEWRIGHT_ASSIGN(source.tokenizer, find_tokenizer(folder, ""));
  return source;
}

// The template of a tokenizer_config.json: a text, or a list of which one is named "default".
std::string chat_template_of(const Json& settings) {
  const auto found = settings.find("chat_template");
  if (found == settings.end()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return "";
  for (const Json& entry : *found) {
    if (!entry.is_object() || entry.value("name", Json()) != "default") continue;
    const Json text = entry.value("template", Json());
    if (text.is_string()) return text.get<std::string>();
  }
  return "";
}

Result<TokenizerSource> read_tokenizer(const fs::path& path) {
  TokenizerSource source;
  source.kind = path.extension() == ".json" ? TokenizerSource::Kind::kJson
                                            : TokenizerSource::Kind::kSentencePiece;
  EDGEWRIGHT_ASSIGN(source.data, read_file(path.string(), kMaxTokenizerBytes));
  const fs::path settings = path.parent_path() / "tokenizer_config.json";
  const fs::path chat = path.parent_path() / "chat_template.jinja";
  std::error_code error;
  // Newer folders keep the template in a file of its own.
  if (fs::is_regular_file(chat, error)) {
    EDGEWRIGHT_ASSIGN(source.chat_template, read_file(chat.string(), kMaxConfigBytes));
  }
  if (!fs::exists(settings, error)) return source;
  EDGEWRIGHT_ASSIGN(const Json json, read_json(settings.string()));
  if (!json.is_object()) return source;
  if (json.contains("add_bos_token") && json["add_bos_token"].is_boolean()) {
    source.add_bos = json["add_bos_token"].get<bool>();
  }
  if (source.chat_template.empty()) source.chat_template = chat_template_of(json);
  return source;
}

Result<LanguageSource> read_gguf_model(const std::string& path) {
  EDGEWRIGHT_ASSIGN(GgufFile file, read_gguf(path));
  const auto read = [&]() -> Result<LanguageSource> {
    LanguageSource source;
    EDGEWRIGHT_ASSIGN(source.config, config_from_gguf(file.metadata));
    EDGEWRIGHT_TRY(add_gguf_rope_factors(file.set, source.config));
    EDGEWRIGHT_ASSIGN(source.tokenizer, tokenizer_from_gguf(file.metadata));
    source.set = std::move(file.set);
    EDGEWRIGHT_ASSIGN(source.weights, name_weights(source.config, source.set, WeightNaming::kGguf));
    return source;
  };
  Result<LanguageSource> source = read();
  if (!source.ok()) return std::move(source).error().at(path);
  return source;
}

}  // namespace

LanguageInfo language_info(const PackedModel& model) {
  constexpr std::string_view kTokenizers[] = {"none", "sentencepiece", "json"};
  const ModelConfig& config = model.config;
  LanguageInfo info;
  info.architecture = config.architecture;
  info.precision = model.precision;
  info.tokenizer = kTokenizers[static_cast<size_t>(model.tokenizer.kind)];
  info.parameters = model.parameters();
  info.weight_bytes = model.weight_bytes();
  info.layers = config.layers;
  info.hidden = config.hidden;
  info.heads = config.heads;
  info.kv_heads = config.kv_heads;
  info.head_size = config.head_dim;
  info.ffn = config.ffn;
  info.vocabulary = config.vocabulary;
  info.context = config.context;
  for (const auto& [name, stack] : model.matrices) {
    for (const auto& matrix : stack) ++info.types[language::weight_type_name(matrix.type)];
  }
  return info;
}

LanguageFormat language_format(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return fs::exists(fs::path(path) / "config.json", error) ? LanguageFormat::kHuggingFace
                                                             : LanguageFormat::kNone;
  }
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  file.read(magic, sizeof(magic));
  const std::string_view found(magic, sizeof(magic));
  if (found == "GGUF") return LanguageFormat::kGguf;
  if (found == "EWLM") return LanguageFormat::kPacked;
  return LanguageFormat::kNone;
}

bool is_language_model(const std::string& path) {
  return language_format(path) != LanguageFormat::kNone;
}

Result<LanguageSource> read_language_source(const std::string& path) {
  switch (language_format(path)) {
    case LanguageFormat::kHuggingFace: return read_hugging_face(path);
    case LanguageFormat::kGguf: return read_gguf_model(path);
    default: break;
  }
  if (path.ends_with(".onnx")) return read_onnx_decoder(path);
  return bad_input(
      "{} is no language model: expected a folder with config.json and "
      "model.safetensors, a GGUF file or a packed model (.ewlm)",
      path);
}

Result<PackedModel> open_packed_model(const std::string& path, const LanguageOptions& options,
                                      ThreadPool& pool) {
  EDGEWRIGHT_ASSIGN(const Precision precision, precision_of(options.precision));
  Result<PackedModel> model = [&]() -> Result<PackedModel> {
    if (language_format(path) == LanguageFormat::kPacked) {
      EDGEWRIGHT_ASSIGN(PackedModel packed, read_packed_model(path));
      if (precision.name != "stored" && precision.name != packed.precision) {
        return usage_error("{} is packed as {}; convert the original to {} instead", path,
                           packed.precision, precision.name);
      }
      return packed;
    }
    EDGEWRIGHT_ASSIGN(const LanguageSource source, read_language_source(path));
    EDGEWRIGHT_ASSIGN(PackedModel packed,
                      pack_model(source.config, source.weights, precision, pool, options.progress));
    packed.tokenizer = source.tokenizer;
    return packed;
  }();
  if (!model.ok()) return model;
  if (!options.tokenizer.empty()) {
    EDGEWRIGHT_ASSIGN(model->tokenizer, find_tokenizer(path, options.tokenizer));
  }
  return model;
}

Result<TokenizerSource> find_tokenizer(const std::string& path, const std::string& given) {
  if (!given.empty()) return read_tokenizer(given);
  fs::path folder(path);
  std::error_code error;
  if (!fs::is_directory(folder, error)) folder = folder.parent_path();
  // Several models of a family may share the one in the folder above.
  for (const fs::path& place : {folder, fs::absolute(folder).parent_path()}) {
    for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
      if (fs::is_regular_file(place / name, error)) return read_tokenizer(place / name);
    }
  }
  return TokenizerSource{};
}

Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const TokenizerSource& source,
                                                        int vocabulary) {
  switch (source.kind) {
    case TokenizerSource::Kind::kSentencePiece: {
      Result<std::unique_ptr<Tokenizer>> made = open_sentencepiece(source.data);
      if (!made.ok()) return std::move(made).error().at("tokenizer.model");
      return std::shared_ptr<const Tokenizer>(*std::move(made));
    }
    case TokenizerSource::Kind::kJson: {
      Result<std::unique_ptr<Tokenizer>> made = open_tokenizer_json(source.data);
      if (!made.ok()) return std::move(made).error().at("tokenizer.json");
      return std::shared_ptr<const Tokenizer>(*std::move(made));
    }
    case TokenizerSource::Kind::kNone: break;
  }
  return std::shared_ptr<const Tokenizer>(number_tokenizer(vocabulary));
}

}  // namespace edgewright
