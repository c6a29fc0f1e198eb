#include "edgewright/profile.h"

#include "command.h"
#include "edgewright/tensor.h"
#include "profile_text.h"

namespace edgewright::cli {
namespace {

// Operators that the text lists; the document has all of them.
constexpr size_t kListed = 20;

struct Options {
  std::string model, import;
  std::vector<std::string> inputs, shapes, compare;
  bool no_tune = false;
  std::vector<double> costs;
  std::vector<int> tokens;
  ProfileOptions profile;
};

void declare_options(CLI::App& app, Options& options) {
  app.add_option("MODEL", options.model, "an ONNX model, a plan or a language model");
  app.add_option("--input", options.inputs, "an input's value")->type_name("NAME=FILE.npy");
  app.add_option("--shape", options.shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--seconds", options.profile.seconds, "time for the measured runs")
      ->check(CLI::Range(0.01, 600.0));
  app.add_option("--device", options.profile.device,
                 "model the times on another device's roofline: a name, a file, or "
                 "peak=OPS_PER_S,bandwidth=BYTES_PER_S");
  app.add_option("--export", options.profile.exports,
                 "write the timeline: .json (Chrome), .perfetto-trace, .csv")
      ->type_name("FILE");
  app.add_option("--import", options.import,
                 "read a profile of ONNX Runtime, OpenVINO, TFLite, Nsight, or a Chrome or "
                 "Perfetto trace")
      ->type_name("FILE");
  app.add_option("--compare", options.compare, "two files of profile --json")
      ->expected(2)
      ->type_name("A B");
  app.add_flag("--confirm", options.profile.confirm, "test the verdicts by experiment");
  app.add_flag("--apply", options.profile.apply, "try what this tool can change by itself");
  app.add_option("--batches", options.profile.batches, "measure these batch sizes, find the best")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  app.add_option("--batch-costs", options.costs,
                 "of a microsecond of latency and of one of time per sample")
      ->delimiter(',')
      ->expected(2)
      ->type_name("LATENCY,THROUGHPUT");
  app.add_option("--memory-limit", options.profile.memory_limit_bytes,
                 "bytes that a batch's values may take, weights not counted");
  app.add_option("--lengths", options.profile.lengths, "lengths of sequences, for padding")
      ->delimiter(',');
  app.add_option("--tokens", options.tokens, "of a language model's request: of the prompt, new")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::Range(1, 4096))
      ->type_name("PROMPT,NEW");
  app.add_flag("--no-tune", options.no_tune, "take the first kernel that fits");
}

Status complete(Options& options, const CommonOptions& common) {
  ProfileOptions& profile = options.profile;
  const int subjects = static_cast<int>(!options.model.empty()) +
                       static_cast<int>(!options.import.empty()) +
                       static_cast<int>(!options.compare.empty());
  if (subjects != 1) {
    return usage_error("expected one of MODEL, --import FILE and --compare A B, found {}",
                       subjects);
  }
  EDGEWRIGHT_ASSIGN(const auto files, parse_pairs(options.inputs, "--input"));
  for (const auto& [name, file] : files) {
    EDGEWRIGHT_ASSIGN(profile.inputs[name], load_npy(file));
  }
  EDGEWRIGHT_ASSIGN(profile.session.shapes, parse_shapes(options.shapes));
  profile.session.threads = common.threads;
  profile.session.tune = !options.no_tune;
  profile.session.timing_cache = timing_cache_path();
  if (options.costs.size() == 2) {
    profile.latency_cost = options.costs[0];
    profile.throughput_cost = options.costs[1];
  }
  if (options.tokens.size() == 2) {
    profile.prompt_tokens = options.tokens[0];
    profile.new_tokens = options.tokens[1];
  }
  profile.seed = common.seed;
  profile.roofs_cache = cache_file("roofs.json");
  profile.times_cache = cache_file("times.json");
  profile.progress = progress_bar();
  return {};
}

}  // namespace

Action declare_profile(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  declare_options(app, *options);
  return [options, &common]() -> Result<Outcome> {
    EDGEWRIGHT_TRY(complete(*options, common));
    if (!options->compare.empty()) {
      EDGEWRIGHT_ASSIGN(const ProfileComparison comparison,
                        compare_profiles(options->compare[0], options->compare[1]));
      return Outcome{comparison_text(comparison, kListed), to_json(comparison), comparison.passed};
    }
    if (!options->import.empty()) {
      EDGEWRIGHT_ASSIGN(const ImportReport report,
                        import_profile(options->import, options->profile));
      return Outcome{import_text(report, kListed), to_json(report), report.passed};
    }
    EDGEWRIGHT_ASSIGN(const ProfileReport report, profile(options->model, options->profile));
    return Outcome{profile_text(report, kListed), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
