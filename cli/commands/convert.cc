#include "edgewright/convert.h"

#include <algorithm>

#include "command.h"
#include "edgewright/session.h"
#include "language_text.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model, output, precision;
  std::vector<std::string> shapes, fixes;
  bool list_passes = false;
  std::vector<std::string> modes;
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

std::string quantization_text(const QuantizationReport& report, bool passed) {
  std::string out;
  if (report.held_back_samples > 0) {
    out += fmt::format(
        "quantised with {} samples, judged on {}: relative L2 error {:.3g}, top-1 agreement {:.2f} "
        "%\n",
        report.calibration_samples, report.held_back_samples, report.relative_l2,
        100 * report.agreement);
  }
  if (report.int8_macs_share > 0) {
    out += fmt::format("{:.1f} % of multiply-adds in int8\n", 100 * report.int8_macs_share);
  }
  if (report.top1) {
    out += fmt::format("top-1 {:.2f} % against {:.2f} %\n", 100 * *report.top1,
                       100 * *report.reference_top1);
  }
  const size_t shown = passed ? 3 : 10;
  for (size_t i = 0; i < std::min(shown, report.guilty.size()); ++i) {
    out += fmt::format("  off most: {:<60} {:.4f}\n", report.guilty[i].name,
                       report.guilty[i].relative_l2);
  }
  return out;
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
  for (const MixPoint& point : report.pareto) {
    out += fmt::format("  mix: cost {:>10.1f}, error {:.4g}, {} layers changed{}{}\n", point.cost,
                       point.error, point.changed_layers, point.knee ? ", the knee" : "",
                       point.chosen ? ", chosen" : "");
  }
  if (report.quantization) out += quantization_text(*report.quantization, report.passed);
  if (report.written) {
    out += fmt::format("wrote {} ({}B)\n", options.output,
                       with_prefix(static_cast<double>(report.size_bytes)));
  } else {
    out += report.quantization
               ? "nothing was written: a goal was missed (--force writes all the same)\n"
               : "nothing was written: the result does not compute what the original does\n";
  }
  return out;
}

void declare_flags(CLI::App& app, Options& options) {
  app.add_option("MODEL", options.model, "an ONNX model or a language model");
  app.add_option("-o,--output", options.output, "the file to write");
  app.add_option("--to", options.convert.to,
                 fmt::format("onnx, plan, {}; NAME@VERSION[,hardware=H][,gelu-error=E]: with what "
                             "targets check plans for it; language models: ewlm or gguf (default: "
                             "from the output's ending)",
                             fmt::join(export_format_names(), ", ")));
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
  app.add_option("--precision", options.precision,
                 fmt::format("how layers compute: {}; language models: stored, fp32, fp16, bf16, "
                             "int8, int4, int4-g128",
                             fmt::join(precision_names(), ", ")));
  app.add_option("--calibrate", options.convert.calibrate,
                 "samples for a precision: .npz or a folder of .npy; language models: a text")
      ->type_name("DATA");
  app.add_option("--quantize", options.convert.quantize, "a detail of the precision")
      ->type_name("KEY=VALUE");
  app.add_flag("--force", options.convert.force, "write a result that misses its goals");
  app.add_option("--mode", options.modes,
                 "no-verify: do not compare with the original; no-tune: plans take the first "
                 "kernel that fits; lossy: allow passes that change results; "
                 "keep-initializer-inputs: initialisers that are listed as inputs stay inputs; "
                 "tensor-outputs: texts and maps give way to the numbers they are made from; "
                 "states: OpenVINO keeps a decoder's cache inside the model")
      ->delimiter(',')
      ->check(CLI::IsMember({"no-verify", "no-tune", "lossy", "keep-initializer-inputs",
                             "tensor-outputs", "states"}));
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
      if (!options->precision.empty()) options->language.precision = options->precision;
      options->language.calibrate = options->convert.calibrate;
      options->language.threads = common.threads;
      options->language.progress = progress_bar();
      return convert_language(options->model, options->output, options->language);
    }
    ConvertOptions& convert_options = options->convert;
    if (!options->precision.empty()) convert_options.precision = options->precision;
    EDGEWRIGHT_ASSIGN(convert_options.shapes, parse_shapes(options->shapes));
    EDGEWRIGHT_ASSIGN(convert_options.fixes, parse_pairs(options->fixes, "--fix"));
    const auto has = [&](std::string_view mode) {
      return std::ranges::find(options->modes, mode) != options->modes.end();
    };
    convert_options.verify = !has("no-verify");
    convert_options.tune = !has("no-tune");
    convert_options.lossy = has("lossy");
    convert_options.keep_initializer_inputs = has("keep-initializer-inputs");
    convert_options.states = has("states");
    convert_options.tensor_outputs = has("tensor-outputs");
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
