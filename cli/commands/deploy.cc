#include <charconv>

#include "command.h"
#include "edgewright/deploy.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model, check, repository;
  std::vector<std::string> shapes, goals;
  DeployOptions deploy;
};

Result<std::map<std::string, double>> parse_goals(const std::vector<std::string>& texts) {
  EDGEWRIGHT_ASSIGN(const auto pairs, parse_pairs(texts, "--goal"));
  std::map<std::string, double> goals;
  for (const auto& [name, text] : pairs) {
    double limit = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (code != std::errc() || end != text.data() + text.size()) {
      return usage_error("found --goal {}={}, expected a number", name, text);
    }
    goals[name] = limit;
  }
  return goals;
}

std::string summary(const DeployReport& report) {
  std::string out;
  for (const DeployStage& stage : report.stages) {
    out += fmt::format("  {:<10} {}\n", stage.name, stage.reused ? "as before" : "done");
  }
  for (const DeployChoice& choice : report.choices) {
    out += fmt::format("{}: {} (else {})\n    {}\n", choice.what, choice.chosen, choice.runner_up,
                       choice.why);
  }
  for (const DeployGoal& goal : report.goals) {
    out += fmt::format("goal {:<18} {:>10.4g} of {:.4g}  {}\n", goal.name, goal.reached, goal.limit,
                       goal.passed ? "met" : "MISSED");
  }
  out += warnings_text(report.warnings);
  out += fmt::format("{}: {} files, report {}/report.html\n", report.bundle, report.files.size(),
                     report.bundle);
  if (report.passed) return out + "PASSED\n";
  return out + "FAILED" +
         (report.binding_constraint.empty() ? "\n" : ": " + report.binding_constraint + "\n");
}

}  // namespace

Action declare_deploy(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  DeployOptions& deploy_options = options->deploy;
  app.add_option("MODEL", options->model, "an ONNX or language model");
  app.add_option("--device", deploy_options.device, "a known device or a device file");
  app.add_option("--server", deploy_options.server, "also plan a cut: what the server is");
  app.add_option("--link", deploy_options.link, "and the link to it");
  app.add_option("--data", deploy_options.data, "DATA to calibrate with and to judge by");
  app.add_option("--goal", options->goals,
                 "a limit: latency-ms, energy-mj, size-mb or accuracy-points")
      ->type_name("NAME=LIMIT");
  app.add_option("--to", deploy_options.targets,
                 "other runtimes' formats for the bundle, or none (default: what the device has)")
      ->delimiter(',')
      ->type_name("FORMAT,...");
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("-o,--output", deploy_options.output, "the bundle, a folder");
  app.add_option("--check", options->check, "check a bundle on this machine instead");
  app.add_option("--repository", options->repository,
                 "with --check: also write the checked model for `serve`, Triton and KServe")
      ->type_name("FOLDER");
  return [options, &common]() -> Result<Outcome> {
    if (!options->check.empty()) {
      EDGEWRIGHT_ASSIGN(const DeployReport report, check_bundle(options->check, common.threads));
      std::string exported;
      if (report.passed && !options->repository.empty()) {
        EDGEWRIGHT_ASSIGN(const auto files,
                          export_bundle(options->check, report.model, options->repository));
        for (const std::string& file : files) exported += file + "\n";
      }
      return Outcome{exported + summary(report), to_json(report), report.passed};
    }
    if (!options->repository.empty()) {
      return usage_error("--repository goes with --check BUNDLE: only what was checked is served");
    }
    DeployOptions& deploy_with = options->deploy;
    if (options->model.empty() || deploy_with.device.empty()) {
      return usage_error("expected edgewright deploy MODEL --device D -o BUNDLE");
    }
    deploy_with.model = options->model;
    EDGEWRIGHT_ASSIGN(deploy_with.shapes, parse_shapes(options->shapes));
    EDGEWRIGHT_ASSIGN(deploy_with.goals, parse_goals(options->goals));
    deploy_with.threads = common.threads;
    deploy_with.seed = common.seed;
    deploy_with.progress = progress_bar();
    EDGEWRIGHT_ASSIGN(const DeployReport report, deploy(deploy_with));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
