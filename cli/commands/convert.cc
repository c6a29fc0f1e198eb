#include "edgewright/convert.h"

#include "command.h"
#include "edgewright/session.h"
#include "language_text.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model, output;
  std::vector<std::string> shapes, fixes;
  bool list_passes = false;
  bool no_verify = false, no_tune = false;
  ConvertOptions convert;
  LanguageConvertOptions language;
};

std::string pass_list() {
  std::vector<std::vector<std::string>> rows = {{"pass", "dialect", "description"}};
  for (const PassDescription& pass : list_passes()) {
    rows.push_back(
        {pass.name, pass.dialect, pass.lossy ? pass.summary + " (lossy)" : pass.summary});
  }
  std::string out;
  for (const auto& row : rows) out += fmt::format("{:<44} {:<10} {}\n", row[0], row[1], row[2]);
  return out;
}

std::string verification_text(const VerifyReport& report) {
  double worst = 0;
  for (const ValueDifference& output : report.outputs) worst = std::max(worst, output.relative_l2);
  return fmt::format("verified on {} seeded inputs: relative L2 error at most {:.2g}: {}\n",
                     report.samples, worst, report.passed ? "PASSED" : "FAILED");
}

std::string summary(const ConvertReport& report, const Options& options) {
  std::string out;
  for (const PassResult& pass : report.passes) {
    if (pass.changed) out += fmt::format("  {:<44} {:>8} us\n", pass.name, pass.time_us);
    for (const std::string& fault : pass.faults) out += fmt::format("  fault in {}\n", fault);
  }
  for (const std::string& pass : report.dropped_passes) {
    out += fmt::format("  dropped: {} (it broke the model)\n", pass);
  }
  out += fmt::format("{} -> {} nodes\n", report.nodes_before, report.nodes_after);
  if (report.verification) out += verification_text(*report.verification);
  out += warnings_text(report.warnings);
  if (report.passed) {
    out += fmt::format("wrote {} ({}B)\n", options.output,
                       with_prefix(static_cast<double>(report.size_bytes)));
  } else {
    out += "nothing was written: the result does not compute what the original does\n";
  }
  return out;
}

void declare_flags(CLI::App& app, Options& options) {
  app.add_option("MODEL", options.model, "an ONNX model or a language model");
  app.add_option("-o,--output", options.output, "the file to write");
  app.add_option("--to", options.convert.to,
                 "onnx, plan, ewlm or gguf (default: from the output's ending)");
  app.add_option("--opset", options.convert.opset, "opset of the result (default: the input's)");
  app.add_option("--dialect", options.convert.dialect, "standard or ort")
      ->check(CLI::IsMember({"standard", "ort"}));
  app.add_option("--shape", options.shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--fix", options.fixes,
                 "make an input a constant: INPUT=VALUE[,VALUE] or @FILE.npy");
  app.add_option("--disable", options.convert.disabled, "leave out a pass");
  app.add_option("--stop-after", options.convert.stop_after, "the last pass to run");
  app.add_flag("--verify-each-pass", options.convert.verify_each_pass,
               "compare with the original after every pass; drop what breaks it");
  app.add_flag("--no-verify", options.no_verify, "do not compare the result with the original");
  app.add_flag("--no-tune", options.no_tune, "plans: take the first kernel that fits");
  app.add_flag("--lossy", options.convert.lossy, "allow passes that change results");
  app.add_flag("--keep-initializer-inputs", options.convert.keep_initializer_inputs,
               "initialisers that are listed as inputs stay inputs");
  app.add_option("--precision", options.language.precision,
                 "language models: fp32, fp16, bf16, int8, int4, int4-g128");
  app.add_option("--calibrate", options.language.calibrate,
                 "language models: a text to round int4 weights by");
  app.add_flag("--list-passes", options.list_passes, "print every pass and stop");
}

}  // namespace

Action declare_convert(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  declare_flags(app, *options);
  return [options, &common]() -> Result<Outcome> {
    if (options->list_passes) return Outcome{pass_list(), "", true};
    if (options->model.empty() || options->output.empty()) {
      return usage_error("expected edgewright convert MODEL -o OUT");
    }
    if (is_language_model(options->model)) {
      options->language.to = options->convert.to;
      options->language.threads = common.threads;
      options->language.progress = progress_bar();
      return convert_language(options->model, options->output, options->language);
    }
    ConvertOptions& convert_options = options->convert;
    EDGEWRIGHT_ASSIGN(convert_options.shapes, parse_shapes(options->shapes));
    EDGEWRIGHT_ASSIGN(convert_options.fixes, parse_pairs(options->fixes, "--fix"));
    convert_options.verify = !options->no_verify;
    convert_options.tune = !options->no_tune;
    convert_options.threads = common.threads;
    convert_options.seed = common.seed;
    convert_options.timing_cache = timing_cache_path();
    convert_options.progress = progress_bar();
    EDGEWRIGHT_ASSIGN(const ConvertReport report,
                      convert(options->model, options->output, convert_options));
    return Outcome{summary(report, *options), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
