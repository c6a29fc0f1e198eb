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

// The worst layers tell more than all of them; the JSON document has every one.
std::string layers_text(const VerifyReport& report) {
  constexpr size_t kWorst = 8;
  std::vector<ValueDifference> worst = report.layers;
  std::ranges::stable_sort(worst, std::greater(), &ValueDifference::relative_l2);
  if (worst.empty()) return "";
  std::vector<std::vector<std::string>> rows = {
      {fmt::format("worst of {} layers", worst.size()), "relative L2", "max abs", "cosine", ""}};
  for (size_t i = 0; i < std::min(kWorst, worst.size()); ++i) rows.push_back(row(worst[i]));
  return "\n" + table(rows);
}

std::string distribution_text(const VerifyReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"output", "errors", "mean error", "KL nats", "Wasserstein-1"}};
  for (const ValueDifference& output : report.outputs) {
    if (!output.errors) continue;
    rows.push_back({output.name, output.errors->verdict, fmt::format("{:.3g}", output.errors->mean),
                    fmt::format("{:.3g}", output.distribution->kl),
                    fmt::format("{:.3g}", output.distribution->wasserstein_1)});
  }
  return rows.size() > 1 ? "\n" + table(rows) : "";
}

// Differences with a p-value above this are what chance alone would do.
constexpr double kSignificant = 0.05;

std::string task_text(const VerifyReport& report) {
  if (report.task.empty()) return "";
  std::vector<std::vector<std::string>> rows = {
      {"task", "reference", "candidate", "loss", "p-value", "", ""}};
  for (const TaskScore& score : report.task) {
    rows.push_back({score.metric, fmt::format("{:.3f}", score.reference),
                    fmt::format("{:.3f}", score.candidate),
                    fmt::format("{:+.3f} {}", score.loss, score.relative ? "%" : "points"),
                    fmt::format("{:.3g}", score.p_value),
                    score.p_value > kSignificant ? "noise" : "significant",
                    score.passed ? "ok" : "FAILED"});
  }
  std::string out = "\n" + table(rows);
  if (report.agreement) {
    out += fmt::format("same top-1 answer on {:.2f} % of the samples\n", 100 * *report.agreement);
  }
  return out;
}

std::string boundary_text(const VerifyReport& report) {
  if (report.boundary.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"boundary inputs", "worst relative L2"}};
  for (const auto& [kind, value] : report.boundary) {
    rows.push_back({kind, fmt::format("{:.3g}", value)});
  }
  return "\n" + table(rows);
}

std::string bisect_text(const VerifyReport& report) {
  if (!report.bisect) return "";
  const BisectReport& found = *report.bisect;
  if (found.layers.empty()) return "\nbisection: nothing to blame\n";
  std::vector<std::vector<std::string>> rows = {{"guilty layer", "node", "operator", "own error"}};
  constexpr size_t kWorst = 12;
  for (size_t i = 0; i < std::min(kWorst, found.layers.size()); ++i) {
    const BisectedLayerReport& layer = found.layers[i];
    rows.push_back({layer.name, layer.node, layer.op, fmt::format("{:.3g}", layer.relative_l2)});
  }
  return "\n" + table(rows) +
         fmt::format(
             "computed as in the reference, they {} the outputs ({} of {} layers, {} model "
             "runs)\n",
             found.restored ? "restore" : "do not restore", found.layers.size(),
             found.layers_compared, found.model_runs);
}

std::string pareto_text(const VerifyReport& report) {
  if (report.pareto.empty()) return "";
  std::vector<std::vector<std::string>> rows = {
      {"candidate", "latency us", "size", report.task.empty() ? "relative L2" : "loss", ""}};
  for (const TradeOffPoint& point : report.pareto) {
    rows.push_back({point.file, fmt::format("{:.1f}", point.latency_us),
                    with_prefix(static_cast<double>(point.size_bytes)) + "B",
                    fmt::format("{:.3g}", point.error),
                    point.knee       ? "front, knee"
                    : point.on_front ? "front"
                                     : "beaten"});
  }
  return "\n" + table(rows);
}

std::string summary(const VerifyReport& report) {
  std::vector<std::vector<std::string>> rows = {{"output", "relative L2", "max abs", "cosine", ""}};
  for (const ValueDifference& output : report.outputs) rows.push_back(row(output));
  std::string out = table(rows) + distribution_text(report) + layers_text(report) +
                    task_text(report) + boundary_text(report) + bisect_text(report) +
                    pareto_text(report);
  if (report.derivative_relative_l2) {
    out += fmt::format("directional derivatives: relative L2 {:.3g}\n",
                       *report.derivative_relative_l2);
  }
  if (report.first_divergence) out += "first diverging layer: " + *report.first_divergence + "\n";
  out += warnings_text(report.warnings);
  return out + fmt::format("{} samples, layers on {} of them, decided by the {}: {}\n",
                           report.samples, report.layer_samples, report.decided_by,
                           report.passed ? "PASSED" : "FAILED");
}

}  // namespace

Action declare_verify(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  VerifyOptions& verify_options = options->verify;
  app.add_option("REFERENCE", options->reference,
                 "an ONNX model, a plan, or recorded outputs (.npz)")
      ->required();
  app.add_option("CANDIDATE", options->candidate,
                 "an ONNX model, a plan, or recorded outputs (.npz)")
      ->required();
  app.add_option("--data", verify_options.data, "a .npz or a folder of .npy: one array per input");
  app.add_flag("--boundary", verify_options.boundary,
               "zeros, huge, denormal, sparse, NaN, adversarial ... inputs too");
  app.add_option("--samples", verify_options.samples,
                 "how many samples (0: all of the data, or 4 seeded)");
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--relative-l2", verify_options.relative_l2,
                 "bound of an output's relative L2 error");
  app.add_option("--max-abs", verify_options.max_abs, "or of its largest absolute error");
  app.add_option("--max-loss", verify_options.max_loss,
                 "labelled data: points (or percent) that a task metric may lose");
  app.add_flag("--derivatives", verify_options.derivatives, "compare directional derivatives");
  app.add_flag("--bisect", verify_options.bisect,
               "find the layers that must be as in the reference to restore the outputs");
  app.add_option("--pareto", verify_options.pareto,
                 "more candidates: time, size and error of all, the front and its knee");
  const auto backends = CLI::IsMember({"native", "reference", "openvino", "mixed"});
  app.add_option("--backend", verify_options.candidate_backend, "what runs the candidate")
      ->check(backends);
  app.add_option("--reference-backend", verify_options.reference_backend, "what runs the reference")
      ->check(backends);
  return [options, &common]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(options->verify.shapes, parse_shapes(options->shapes));
    options->verify.threads = common.threads;
    options->verify.seed = common.seed;
    options->verify.openvino_library = openvino_library();
    options->verify.progress = progress_bar();
    EDGEWRIGHT_ASSIGN(const VerifyReport report,
                      verify(options->reference, options->candidate, options->verify));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
