#include "edgewright/verify.h"

#include "command.h"
#include "edgewright/session.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string reference, candidate;
  std::vector<std::string> shapes;
  VerifyOptions verify;
};

std::vector<std::string> row(const ValueDifference& d) {
  if (!d.problem.empty()) return {d.name, d.problem, "", "", "FAILED"};
  return {d.name, fmt::format("{:.3g}", d.relative_l2), fmt::format("{:.3g}", d.max_abs),
          fmt::format("{:.7f}", d.cosine), d.passed ? "ok" : "FAILED"};
}

std::string summary(const VerifyReport& report) {
  // The worst layers tell more than all of them; the JSON document has every one.
  constexpr size_t kWorst = 8;
  std::vector<ValueDifference> worst = report.layers;
  std::ranges::stable_sort(worst, std::greater(), &ValueDifference::relative_l2);
  std::vector<std::vector<std::string>> rows = {{"output", "relative L2", "max abs", "cosine", ""}};
  for (const ValueDifference& output : report.outputs) rows.push_back(row(output));
  std::string out = table(rows);
  if (!worst.empty()) {
    rows = {
        {fmt::format("worst of {} layers", worst.size()), "relative L2", "max abs", "cosine", ""}};
    for (size_t i = 0; i < std::min(kWorst, worst.size()); ++i) rows.push_back(row(worst[i]));
    out += "\n" + table(rows);
  }
  if (!report.boundary.empty()) {
    rows = {{"boundary inputs", "worst relative L2"}};
    for (const auto& [kind, value] : report.boundary) {
      rows.push_back({kind, fmt::format("{:.3g}", value)});
    }
    out += "\n" + table(rows);
  }
  if (report.first_divergence) out += "first diverging layer: " + *report.first_divergence + "\n";
  out += warnings_text(report.warnings);
  return out + fmt::format("{} samples: {}\n", report.samples, report.passed ? "PASSED" : "FAILED");
}

}  // namespace

Action declare_verify(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  VerifyOptions& verify_options = options->verify;
  app.add_option("REFERENCE", options->reference, "an ONNX model or a plan")->required();
  app.add_option("CANDIDATE", options->candidate, "an ONNX model or a plan")->required();
  app.add_option("--data", verify_options.data, "a .npz or a folder of .npy: one array per input");
  app.add_flag("--boundary", verify_options.boundary,
               "zeros, ones, huge, tiny, negative inputs too");
  app.add_option("--samples", verify_options.samples,
                 "how many samples (0: all of the data, or 4 seeded)");
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--relative-l2", verify_options.relative_l2,
                 "bound of an output's relative L2 error");
  app.add_option("--max-abs", verify_options.max_abs, "or of its largest absolute error");
  app.add_option("--backend", verify_options.candidate_backend, "what runs the candidate")
      ->check(CLI::IsMember({"native", "reference"}));
  return [options, &common]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(options->verify.shapes, parse_shapes(options->shapes));
    options->verify.threads = common.threads;
    options->verify.seed = common.seed;
    options->verify.progress = progress_bar();
    EDGEWRIGHT_ASSIGN(const VerifyReport report,
                      verify(options->reference, options->candidate, options->verify));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
