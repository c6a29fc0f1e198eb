#include "api/power_load.h"

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "edgewright/language.h"
#include "power/profiled_load.h"

namespace edgewright {
namespace {

constexpr size_t kMaxConfigBytes = size_t{1} << 20;

Result<LanguageShape> shape_of(const std::string& model) {
  if (model == "llama-1.1b") return kLlama1b;
  std::error_code error;
  if (is_language_model(model) && std::filesystem::is_regular_file(model, error)) {
    EDGEWRIGHT_ASSIGN(const LanguageInfo info, inspect_language_model(model));
    return LanguageShape{.hidden = info.hidden,
                         .layers = info.layers,
                         .heads = info.heads,
                         .kv_heads = info.kv_heads,
                         .head_size = info.head_size,
                         .feed_forward = info.ffn,
                         .vocabulary = info.vocabulary};
  }
  const std::string path = model.ends_with(".json") ? model : model + "/config.json";
  auto text = read_file(path, kMaxConfigBytes);
  if (!text.ok()) {
    return usage_error(
        "'{}' is neither llama-1.1b, nor a packed or GGUF model, nor a folder with a config.json, "
        "nor "
        "a profile: {}",
        model, text.error().message);
  }
  return parse_language_config(*text, path);
}

}  // namespace

Result<LanguageLoad> load_of(const std::string& model, const std::string& precision) {
  constexpr size_t kMaxProfileBytes = size_t{64} << 20;
  if (model.ends_with(".json")) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(model, kMaxProfileBytes));
    const Json document = Json::parse(text, nullptr, false);
    if (is_profile(document)) return profiled_load(document, model, precision);
  }
  EDGEWRIGHT_ASSIGN(const LanguageShape shape, shape_of(model));
  return language_load(shape, precision);
}

}  // namespace edgewright
