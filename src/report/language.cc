#include "edgewright/language.h"
#include "report/document.h"
#include "report/language_figures.h"

namespace edgewright {
namespace {

void add_info(const LanguageInfo& info, Json& json) {
  json["architecture"] = info.architecture;
  json["precision"] = info.precision;
  json["tokenizer"] = info.tokenizer;
  json["parameters"] = info.parameters;
  json["weight_bytes"] = info.weight_bytes;
  json["layers"] = info.layers;
  json["hidden"] = info.hidden;
  json["heads"] = info.heads;
  json["kv_heads"] = info.kv_heads;
  json["head_size"] = info.head_size;
  json["ffn"] = info.ffn;
  json["vocabulary"] = info.vocabulary;
  json["context"] = info.context;
  json["types"] = info.types;
}

}  // namespace

std::string to_json(const LanguageInfo& info) {
  Json json = document("inspect", true, info.warnings);
  // The keys that inspect has for every model.
  json["inputs"] = Json::array({{{"name", "tokens"}, {"dtype", "int32"}, {"shape", {"T"}}}});
  json["outputs"] = Json::array({{{"name", "logits"},
                                  {"dtype", "float32"},
                                  {"shape", {"T", fmt::format("{}", info.vocabulary)}}}});
  json["nodes"] = 0;
  json["operators"] = Json::object();
  // One multiply-add per weight and token, the attention's own left out.
  json["macs"] = info.parameters;
  json["opset"] = 0;
  add_info(info, json);
  return finish_document(json);
}

std::string to_json(const LanguageConvertReport& report) {
  Json json = document("convert", report.passed, report.warnings);
  json["nodes_before"] = 0;
  json["nodes_after"] = 0;
  json["passes"] = Json::array();
  json["dropped_passes"] = Json::array();
  json["precision"] = report.precision;
  json["choices"] = Json::array();
  json["parameters"] = report.parameters;
  json["bits_per_weight"] = number(report.bits_per_weight);
  json["size_bytes"] = report.size_bytes;
  json["mean_kl_divergence"] = number(report.mean_kl_divergence);
  json["top1_agreement"] = number(report.top1_agreement);
  return finish_document(json);
}

std::string to_json(const LanguageBenchReport& report) {
  Json json = document("bench", report.passed, report.warnings);
  json["threads"] = report.threads;
  add_figures(report.figures, json);
  Json& contexts = json["contexts"] = Json::array();
  for (const ContextFigures& row : report.contexts) {
    contexts.push_back({{"context", row.context},
                        {"ttft_us", row.ttft_us},
                        {"tpot_us", row.tpot_us},
                        {"prefill_tokens_per_s", row.prefill_tokens_per_s},
                        {"decode_tokens_per_s", row.decode_tokens_per_s},
                        {"bytes_per_token", row.bytes_per_token},
                        {"bandwidth_share", row.bandwidth_share}});
  }
  Json& model = json["model"] = Json::object();
  add_info(report.model, model);
  return finish_document(json);
}

}  // namespace edgewright
