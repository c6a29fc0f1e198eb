#include "edgewright/language.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const PerplexityReport& report) {
  Json json = document("perplexity", report.passed, report.warnings);
  json["perplexity"] = number(report.perplexity);
  json["tokens"] = report.tokens;
  if (report.light_tokens > 0) json["light_tokens"] = report.light_tokens;
  json["tokens_per_s"] = number(report.tokens_per_s);
  return finish_document(json);
}

}  // namespace edgewright
