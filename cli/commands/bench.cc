#include "edgewright/profile.h"

#include "claim_text.h"
#include "command.h"
#include "edgewright/session.h"
#include "edgewright/tensor.h"
#include "energy_text.h"
#include "language_text.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> inputs, shapes;
  bool no_tune = false;
  BenchOptions bench;
  LanguageBenchOptions language;
};

std::string mix_text(const MixReport& mix) {
  std::string text = fmt::format("mix         {:.1f} us predicted, {} transitions, {}B moved\n",
                                 mix.predicted_us, mix.transitions, with_prefix(mix.bytes_moved));
  for (const MixSegment& segment : mix.segments) {
    text += fmt::format("  {:<10}{:>10.1f} us  {} nodes, {} to {}\n", segment.backend,
                        segment.time_us, segment.nodes, segment.first, segment.last);
  }
  for (const auto& [backend, time_us] : mix.alone_us) {
    text += fmt::format("  {:<10}{:>10.1f} us  alone\n", backend, time_us);
  }
  return text + warnings_text(mix.notes);
}

std::string summary(const BenchReport& report) {
  return fmt::format(
             "latency     median {:.1f} us, min {:.1f}, p90 {}, p99 {} ({} runs, {} "
             "threads, {})\nthroughput  {:.1f} inferences/s\nload        {:.1f} us, first "
             "inference "
             "{:.1f} us\nmemory      peak {}B, arena {}B, largest live set {}B\n",
             report.latency_us.median, report.latency_us.min, claim_text(report.latency_us.p90, 1),
             claim_text(report.latency_us.p99, 1), report.runs, report.threads, report.backend,
             report.throughput_per_s, report.load_us, report.first_inference_us,
             with_prefix(static_cast<double>(report.peak_rss_bytes)),
             with_prefix(static_cast<double>(report.arena_bytes)),
             with_prefix(static_cast<double>(report.live_set_bytes))) +
         (report.mix ? mix_text(*report.mix) : std::string()) +
         energy_text(report.energy, "inference") + warnings_text(report.warnings);
}

}  // namespace

Action declare_bench(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "an ONNX model, a plan or a language model")->required();
  app.add_option("--input", options->inputs, "an input's value")->type_name("NAME=FILE.npy");
  app.add_option("--shape", options->shapes, "an input's shape, or min:opt:max of its dimensions")
      ->type_name("INPUT=1x3x32x32");
  app.add_option("--backend", options->bench.session.backend, kBackendHelp);
  app.add_option("--runs", options->bench.runs, "counted runs (default: as many as fit)");
  app.add_option("--warmup", options->bench.warmup, "runs before, not counted");
  app.add_option("--seconds", options->bench.seconds, "time for the counted runs");
  app.add_flag("--no-tune", options->no_tune, "take the first kernel that fits");
  app.add_option("--context", options->language.contexts,
                 "language models: tokens before the decoded ones")
      ->delimiter(',');
  app.add_option("--tokens", options->language.tokens, "language models: tokens to decode")
      ->check(CLI::Range(2, 1 << 20));
  app.add_option("--precision", options->language.language.precision,
                 "language models: round the weights first");
  app.add_option("--kv-cache", options->language.language.kv_cache,
                 "language models: fp16, int8 or fp32");
  return [options, &common]() -> Result<Outcome> {
    if (is_language_model(options->model)) {
      options->language.language.threads = common.threads;
      options->language.language.phase_file = environment_or(kPhaseFile, "");
      options->language.language.stages = environment_or(kStages, "");
      options->language.language.power_root = environment_or(kPowerRoot, "/");
      options->language.seed = common.seed;
      return bench_language(options->model, options->language);
    }
    EDGEWRIGHT_ASSIGN(const auto files, parse_pairs(options->inputs, "--input"));
    for (const auto& [name, file] : files) {
      EDGEWRIGHT_ASSIGN(options->bench.inputs[name], load_npy(file));
    }
    EDGEWRIGHT_TRY(parse_session_shapes(options->shapes, options->bench.session));
    options->bench.session.threads = common.threads;
    options->bench.session.cpus = common.cpus;
    options->bench.session.tune = !options->no_tune;
    options->bench.session.openvino_library = openvino_library();
    options->bench.seed = common.seed;
    options->bench.power_root = environment_or(kPowerRoot, "/");
    options->bench.session.timing_cache = timing_cache_path();
    options->bench.progress = progress_bar();
    EDGEWRIGHT_ASSIGN(const BenchReport report, bench(options->model, options->bench));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
