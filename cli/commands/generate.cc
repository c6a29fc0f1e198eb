#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "command.h"
#include "edgewright/language.h"
#include "energy_text.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model, prompt_file;
  bool chat = false;
  LanguageOptions language;
  GenerateOptions generate;
};

void declare_sampling(CLI::App& app, SamplingOptions& sampling) {
  app.add_option("--temperature", sampling.temperature, "0: always the likeliest token");
  app.add_option("--top-k", sampling.top_k, "draw among so many tokens (0: all)");
  app.add_option("--top-p", sampling.top_p, "draw among the tokens that hold this share");
  app.add_option("--min-p", sampling.min_p,
                 "leave out tokens less likely than this times the best");
  app.add_option("--repetition-penalty", sampling.repetition_penalty, "above 1: repeats cost");
}

void declare_flags(CLI::App& app, Options& options) {
  app.add_option("MODEL", options.model, "a Hugging Face folder, .gguf or .ewlm")->required();
  app.add_option("--prompt", options.generate.prompt, "the text to go on from");
  app.add_option("--prompt-file", options.prompt_file, "the same from a file ('-': stdin)");
  app.add_flag("--chat", options.chat, "talk, a line at a time, by the model's chat template");
  app.add_option("--max-tokens", options.generate.max_tokens, "length of the answer")
      ->check(CLI::Range(1, 1 << 20));
  declare_sampling(app, options.generate.sampling);
  app.add_option("--stop", options.generate.stop, "end before this text");
  app.add_flag("--log-probabilities", options.generate.log_probabilities,
               "of every token, by the model's own distribution; in the document");
  app.add_option("--overflow", options.generate.overflow, "when the context is full")
      ->check(CLI::IsMember({"stop", "slide"}));
  app.add_option("--draft", options.language.draft,
                 "a smaller model that proposes tokens, or 'lookup': what followed the "
                 "same words before")
      ->type_name("MODEL|lookup");
  app.add_option("--precision", options.language.precision,
                 "round the weights: fp32, fp16, bf16, int8, int4, int4-g128; int8/int4@1: tokens "
                 "after distributions of less than 1 nat by int4")
      ->type_name("TYPE[/TYPE[@NATS]]");
  app.add_option("--kv-cache", options.language.kv_cache, "type of keys and values")
      ->check(CLI::IsMember({"fp16", "int8", "fp32"}));
  app.add_option("--tokenizer", options.language.tokenizer, "tokenizer.model or tokenizer.json");
}

Result<std::string> read_prompt(const std::string& file) {
  if (file == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return bad_input("cannot read {}", file);
  return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

std::string figures_text(const GenerateReport& report) {
  const LanguageFigures& figures = report.figures;
  std::string speculation;
  if (report.light_tokens > 0) {
    speculation = fmt::format("{} of {} tokens computed with the lighter weights\n",
                              report.light_tokens, report.tokens.size());
  }
  if (report.speculation) {
    speculation = fmt::format(
        "{} of {} proposed tokens were right; {:.2f} times as fast as without (predicted {:.2f})\n",
        report.speculation->accepted, report.speculation->proposed,
        report.speculation->measured_speedup, report.speculation->predicted_speedup);
  }
  return speculation +
         fmt::format(
             "{} + {} tokens ({}); first after {:.1f} ms, prompt {:.0f} tokens/s, "
             "answer {:.1f} tokens/s, "
             "{}B per token: {:.0f} % of the memory's speed\n",
             report.prompt_tokens, report.tokens.size(), report.finish, figures.ttft_us / 1000,
             figures.prefill_tokens_per_s, figures.decode_tokens_per_s,
             with_prefix(figures.bytes_per_token), 100 * figures.bandwidth_share) +
         energy_text(figures.energy, "token");
}

// Text goes to stdout as it comes, unless the document does; the prompt goes before the first of
// it, so that a prompt that is refused is not shown.
std::function<bool(std::string_view)> printer(const CommonOptions& common, std::string prompt) {
  if (common.json == "-") return nullptr;
  return [prompt = std::move(prompt)](std::string_view text) mutable {
    std::fwrite(prompt.data(), 1, prompt.size(), stdout);
    prompt.clear();
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    return true;
  };
}

Result<Outcome> converse(LanguageModel& model, Options& options) {
  GenerateOptions& generate = options.generate;
  if (!generate.prompt.empty()) generate.chat.push_back({"system", generate.prompt});
  GenerateReport last;
  std::string line;
  std::fputs("> ", stderr);
  while (std::getline(std::cin, line)) {
    generate.chat.push_back({"user", line});
    EDGEWRIGHT_ASSIGN(last, model.generate(generate));
    generate.chat.push_back({"assistant", last.text});
    std::fputs("\n", stdout);
    std::fputs("> ", stderr);
  }
  std::fputs("\n", stderr);
  return Outcome{"", to_json(last), true};
}

}  // namespace

Action declare_generate(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  declare_flags(app, *options);
  return [options, &common]() -> Result<Outcome> {
    options->language.threads = common.threads;
    options->language.progress = progress_bar();
    options->language.phase_file = environment_or(kPhaseFile, "");
    options->language.advice_file = environment_or(kAdviceFile, "");
    options->language.stages = environment_or(kStages, "");
    options->language.power_root = environment_or(kPowerRoot, "/");
    GenerateOptions& generate = options->generate;
    generate.sampling.seed = common.seed;
    if (options->language.draft == "lookup") {
      options->language.draft.clear();
      generate.speculate = "lookup";
    }
    options->language.draft_precision = options->language.precision;
    if (!options->prompt_file.empty()) {
      EDGEWRIGHT_ASSIGN(generate.prompt, read_prompt(options->prompt_file));
    }
    if (generate.prompt.empty() && !options->chat) {
      return usage_error("expected --prompt TEXT, --prompt-file FILE or --chat");
    }
    EDGEWRIGHT_ASSIGN(LanguageModel model, LanguageModel::open(options->model, options->language));
    generate.on_text = printer(common, options->chat ? "" : generate.prompt);
    if (options->chat) return converse(model, *options);
    EDGEWRIGHT_ASSIGN(const GenerateReport report, model.generate(generate));
    if (generate.on_text) generate.on_text("");  // an answer without text shows its prompt too
    std::fputs(figures_text(report).c_str(), stderr);
    return Outcome{"\n", to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
