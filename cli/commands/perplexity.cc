#include <fstream>
#include <iterator>

#include "command.h"
#include "edgewright/language.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model, text;
  LanguageOptions language;
  PerplexityOptions perplexity;
};

}  // namespace

Action declare_perplexity(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "a Hugging Face folder, .gguf or .ewlm")->required();
  app.add_option("TEXT", options->text, "a text file")->required();
  app.add_option("--window", options->perplexity.window, "tokens predicted per window");
  app.add_option("--windows", options->perplexity.windows, "the first so many (0: all)");
  app.add_flag("--bos", options->perplexity.bos, "windows begin with the beginning-of-text token");
  app.add_option("--precision", options->language.precision,
                 "round the weights: fp32, fp16, bf16, int8, int4, int4-g128; int8/int4@1: two, "
                 "as in generate");
  app.add_option("--kv-cache", options->language.kv_cache, "type of keys and values")
      ->check(CLI::IsMember({"fp16", "int8", "fp32"}));
  app.add_option("--tokenizer", options->language.tokenizer, "tokenizer.model or tokenizer.json");
  return [options, &common]() -> Result<Outcome> {
    options->language.threads = common.threads;
    options->language.progress = progress_bar();
    std::ifstream stream(options->text, std::ios::binary);
    if (!stream) return bad_input("cannot read {}", options->text);
    const std::string text{std::istreambuf_iterator<char>(stream),
                           std::istreambuf_iterator<char>()};
    EDGEWRIGHT_ASSIGN(LanguageModel model, LanguageModel::open(options->model, options->language));
    EDGEWRIGHT_ASSIGN(const PerplexityReport report, model.perplexity(text, options->perplexity));
    const std::string light =
        report.light_tokens > 0
            ? fmt::format("{} of them with the lighter weights\n", report.light_tokens)
            : "";
    return Outcome{fmt::format("perplexity {:.4f} over {} tokens ({:.0f} tokens/s)\n",
                               report.perplexity, report.tokens, report.tokens_per_s) +
                       light + warnings_text(report.warnings),
                   to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
