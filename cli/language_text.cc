#include "language_text.h"

namespace edgewright::cli {
namespace {

std::string info_text(const LanguageInfo& info) {
  std::string out = fmt::format(
      "{}: {} parameters, {}B of weights ({}), {} layers of {}, {} heads over {}, feed-forward {}, "
      "vocabulary {}, context {}, tokenizer {}\n",
      info.architecture, with_prefix(static_cast<double>(info.parameters)),
      with_prefix(static_cast<double>(info.weight_bytes)), info.precision, info.layers, info.hidden,
      info.heads, info.kv_heads, info.ffn, info.vocabulary, info.context, info.tokenizer);
  for (const auto& [type, count] : info.types) {
    out += fmt::format("  {:<8} {} matrices\n", type, count);
  }
  return out;
}

}  // namespace

Outcome inspect_language(const LanguageInfo& info) {
  return {info_text(info) + warnings_text(info.warnings), to_json(info), true};
}

Result<Outcome> convert_language(const std::string& input, const std::string& output,
                                 const LanguageConvertOptions& options) {
  EDGEWRIGHT_ASSIGN(const LanguageConvertReport report,
                    convert_language_model(input, output, options));
  std::string out =
      fmt::format("{} parameters, {:.2f} bits per weight\n",
                  with_prefix(static_cast<double>(report.parameters)), report.bits_per_weight);
  out +=
      fmt::format("against the original: divergence {:.4g} nats, same likeliest token {:.1f} %\n",
                  report.mean_kl_divergence, 100 * report.top1_agreement);
  out += warnings_text(report.warnings);
  out += report.passed
             ? fmt::format("wrote {} ({}B)\n", output,
                           with_prefix(static_cast<double>(report.size_bytes)))
             : "nothing was written: the result does not compute what the original does\n";
  return Outcome{out, to_json(report), report.passed};
}

Result<Outcome> bench_language(const std::string& path, const LanguageBenchOptions& options) {
  EDGEWRIGHT_ASSIGN(const LanguageBenchReport report, bench_language_model(path, options));
  std::vector<std::vector<std::string>> rows = {{"context", "first token ms", "prefill tokens/s",
                                                 "decode tokens/s", "ms/token", "read/token",
                                                 "of memory speed"}};
  for (const ContextFigures& row : report.contexts) {
    rows.push_back({fmt::format("{}", row.context), fmt::format("{:.2f}", row.ttft_us / 1000),
                    fmt::format("{:.0f}", row.prefill_tokens_per_s),
                    fmt::format("{:.1f}", row.decode_tokens_per_s),
                    fmt::format("{:.3f}", row.tpot_us / 1000),
                    with_prefix(row.bytes_per_token) + "B",
                    fmt::format("{:.0f} %", 100 * row.bandwidth_share)});
  }
  const LanguageFigures& figures = report.figures;
  std::string out = info_text(report.model) + table(rows);
  out += fmt::format(
      "load {:.1f} ms; weights {}B, cache {}B, peak {}B; memory reads {}B/s; {} threads\n",
      figures.load_us / 1000, with_prefix(static_cast<double>(figures.weight_bytes)),
      with_prefix(static_cast<double>(figures.cache_bytes)),
      with_prefix(static_cast<double>(figures.peak_rss_bytes)),
      with_prefix(figures.memory_bandwidth_bytes_per_s), report.threads);
  return Outcome{out + warnings_text(report.warnings), to_json(report), report.passed};
}

}  // namespace edgewright::cli
