#include "edgewright/language.h"
#include "report/document.h"
#include "report/energy_figures.h"
#include "report/language_figures.h"

namespace edgewright {

void add_figures(const LanguageFigures& figures, Json& json) {
  json["load_us"] = figures.load_us;
  json["ttft_us"] = figures.ttft_us;
  json["prefill_tokens_per_s"] = figures.prefill_tokens_per_s;
  json["decode_tokens_per_s"] = figures.decode_tokens_per_s;
  json["bytes_per_token"] = figures.bytes_per_token;
  json["bandwidth_share"] = figures.bandwidth_share;
  json["memory_bandwidth_bytes_per_s"] = figures.memory_bandwidth_bytes_per_s;
  json["weight_bytes"] = figures.weight_bytes;
  json["cache_bytes"] = figures.cache_bytes;
  json["peak_rss_bytes"] = figures.peak_rss_bytes;
  add_energy(figures.energy, "energy_mj_per_token", json);
}

std::string to_json(const GenerateReport& report) {
  Json json = document("generate", report.passed, report.warnings);
  json["text"] = report.text;
  json["tokens"] = report.tokens;
  if (!report.log_probabilities.empty()) {
    Json& list = json["log_probabilities"] = Json::array();
    for (const double value : report.log_probabilities) list.push_back(number(value));
  }
  json["finish"] = report.finish;
  json["prompt_tokens"] = report.prompt_tokens;
  json["reused_tokens"] = report.reused_tokens;
  json["light_tokens"] = report.light_tokens;
  if (report.speculation) {
    const SpeculationReport& speculation = *report.speculation;
    json["speculation"] = {{"method", speculation.method},
                           {"proposed", speculation.proposed},
                           {"accepted", speculation.accepted},
                           {"acceptance", speculation.acceptance},
                           {"predicted_speedup", speculation.predicted_speedup},
                           {"measured_speedup", speculation.measured_speedup}};
  }
  add_figures(report.figures, json);
  return finish_document(json);
}

}  // namespace edgewright
