#include "edgewright/deploy.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "api/deploy/page.h"
#include "api/deploy/stages.h"
#include "base/digest.h"
#include "base/file.h"
#include "edgewright/language.h"
#include "edgewright/profile.h"
#include "edgewright/verify.h"
#include "graph/graph.h"
#include "report/page.h"
#include "runtime/plan_file.h"

namespace edgewright {
namespace {

constexpr std::string_view kGoalNames[] = {"latency-ms", "energy-mj", "size-mb", "accuracy-points"};
constexpr size_t kMaxManifestBytes = size_t{1} << 24;
constexpr double kBenchSeconds = 0.5;
// Room for another machine's rounding, beside the error that the proof recorded.
constexpr double kErrorFactor = 1.1, kErrorFloor = 1e-4;
constexpr double kPerplexityBound = 0.01;

// Of a file, or of all files below a folder in the order of their names.
Result<std::string> digest_of(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return sha256_of_file(path);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error)) {
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  }
  std::ranges::sort(files);
  std::string joined;
  for (const std::string& file : files) {
    EDGEWRIGHT_ASSIGN(const std::string digest, sha256_of_file(file));
    joined += std::filesystem::path(file).lexically_relative(path).string() + digest;
  }
  return sha256(joined);
}

Status check_options(const DeployOptions& options) {
  if (options.output.empty()) return usage_error("expected deploy MODEL --device D -o BUNDLE");
  if (options.server.empty() != options.link.empty()) {
    return usage_error("a cut needs both --server and --link");
  }
  for (const auto& [name, limit] : options.goals) {
    if (std::ranges::find(kGoalNames, name) == std::end(kGoalNames) || !(limit > 0)) {
      return usage_error("found goal {}={}, expected a positive limit of {}", name, limit,
                         fmt::join(kGoalNames, ", "));
    }
  }
  return {};
}

// The missed goal that is furthest off, in relation to its limit.
std::string binding_constraint(const std::vector<DeployGoal>& goals) {
  const DeployGoal* worst = nullptr;
  for (const DeployGoal& goal : goals) {
    const bool is_worse =
        worst == nullptr || goal.reached / goal.limit > worst->reached / worst->limit;
    if (!goal.passed && is_worse) worst = &goal;
  }
  if (worst == nullptr) return "";
  return fmt::format("{}: {:.4g} reached, {:.4g} allowed", worst->name, worst->reached,
                     worst->limit);
}

// Of everything that the bundle's bytes depend on.
Json versions() {
  return {{"edgewright", version()},
          {"plan_format", std::to_string(kPlanVersion)},
          {"canonical_opset", std::to_string(kCanonicalOpset)},
          {"bundle_format", "1"}};
}

Json manifest_of(const Deployment& d, const std::string& main_model) {
  Json json = {{"schema", "edgewright.bundle/1"},
               {"version", version()},
               {"versions", versions()},
               {"model_sha256", d.model_digest},
               {"main_model", main_model},
               {"device", d.device.name},
               {"server", d.options.server},
               {"link", d.options.link},
               {"seed", d.options.seed},
               {"passed", d.report.passed},
               {"binding_constraint", d.report.binding_constraint}};
  json["choices"] = Json::array();
  for (const DeployChoice& choice : d.report.choices) {
    json["choices"].push_back({{"what", choice.what},
                               {"chosen", choice.chosen},
                               {"runner_up", choice.runner_up},
                               {"why", choice.why}});
  }
  json["goals"] = Json::array();
  for (const DeployGoal& goal : d.report.goals) {
    json["goals"].push_back({{"name", goal.name},
                             {"limit", goal.limit},
                             {"reached", goal.reached},
                             {"passed", goal.passed}});
  }
  json["warnings"] = d.report.warnings;
  json["files"] = Json::array();
  for (const BundleFile& file : d.report.files) {
    json["files"].push_back(
        {{"path", file.path}, {"sha256", file.sha256}, {"size_bytes", file.size_bytes}});
  }
  return json;
}

std::string run_script(const std::string& main_model) {
  const bool is_language = main_model.ends_with(".ewlm");
  std::string script =
      "#!/bin/sh\n# Checks this bundle on this machine, then runs its model. EDGEWRIGHT names the "
      "program.\nset -e\ncd \"$(dirname \"$0\")\"\nprogram=${EDGEWRIGHT:-edgewright}\n"
      "\"$program\" deploy --check .\n";
  script += is_language ? "exec \"$program\" generate " + main_model + " \"$@\"\n"
                        : "exec \"$program\" bench " + main_model + " \"$@\"\n";
  return script;
}

// What this machine measures; the one file, beside the page, that differs from run to run.
Result<std::string> measure(const Deployment& d, const std::string& main_model) {
  const std::string path = d.bundle.path(main_model);
  if (main_model.ends_with(".ewlm")) {
    LanguageBenchOptions options;
    options.language.threads = d.options.threads;
    options.contexts = {64};
    EDGEWRIGHT_ASSIGN(const LanguageBenchReport report, bench_language_model(path, options));
    return to_json(report);
  }
  BenchOptions options;
  options.session.threads = d.options.threads;
  options.session.shapes = d.options.shapes;
  options.seconds = kBenchSeconds;
  EDGEWRIGHT_ASSIGN(const BenchReport report, bench(path, options));
  return to_json(report);
}

Result<Json> read_manifest(const std::string& bundle) {
  EDGEWRIGHT_ASSIGN(const std::string text,
                    read_file(bundle + "/manifest.json", kMaxManifestBytes));
  Json manifest = Json::parse(text, nullptr, false);
  if (!manifest.is_object() || manifest.value("schema", "") != "edgewright.bundle/1" ||
      !manifest.contains("files") || !manifest["files"].is_array()) {
    return bad_input("{}/manifest.json is no manifest of a bundle", bundle);
  }
  return manifest;
}

// A path that leaves the bundle is hostile.
bool stays_inside(const std::string& relative) {
  const auto normal = std::filesystem::path(relative).lexically_normal();
  return !relative.empty() && normal.is_relative() && *normal.begin() != "..";
}

Status check_files(const std::string& bundle, const Json& manifest, DeployReport& report) {
  for (const Json& entry : manifest["files"]) {
    BundleFile file{entry.value("path", ""), entry.value("sha256", ""),
                    entry.value("size_bytes", int64_t{0})};
    if (!stays_inside(file.path)) {
      return bad_input("{}/manifest.json names '{}', which lies outside", bundle, file.path);
    }
    const auto found = sha256_of_file(bundle + "/" + file.path);
    if (!found.ok() || *found != file.sha256) {
      report.warnings.push_back(fmt::format(
          "{} {}", file.path, found.ok() ? "is not the file of the manifest" : "is missing"));
      report.passed = false;
    }
    report.files.push_back(std::move(file));
  }
  return {};
}

Result<Json> stage_result(const std::string& bundle, const std::string& stage) {
  const std::string path = bundle + "/stages/" + stage + ".json";
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMaxManifestBytes));
  const Json record = Json::parse(text, nullptr, false);
  if (!record.is_object() || !record.contains("result") || !record["result"].is_object()) {
    return bad_input("{} is no record of a stage", path);
  }
  return record["result"];
}

// The perplexity that the packed model finds here on the recorded text.
Status check_perplexity(const std::string& bundle, const std::string& model, int threads,
                        DeployReport& report) {
  EDGEWRIGHT_ASSIGN(const Json proof, stage_result(bundle, "prove"));
  EDGEWRIGHT_ASSIGN(const std::string text,
                    read_file(bundle + "/" + kProofText, kMaxManifestBytes));
  LanguageOptions options;
  options.threads = threads;
  EDGEWRIGHT_ASSIGN(LanguageModel opened, LanguageModel::open(bundle + "/" + model, options));
  EDGEWRIGHT_ASSIGN(const PerplexityReport found, opened.perplexity(text, {kProofWindow}));
  const double recorded = proof.value("perplexity", 0.0);
  const double off = std::abs(found.perplexity - recorded) / std::max(recorded, 1e-30);
  report.goals.push_back(
      {"perplexity, relative difference", kPerplexityBound, off, off <= kPerplexityBound});
  report.passed = report.passed && off <= kPerplexityBound;
  return {};
}

// The model's outputs on this machine against the recorded ones.
Status check_outputs(const std::string& bundle, const std::string& model, uint64_t seed,
                     int threads, DeployReport& report) {
  EDGEWRIGHT_ASSIGN(const Json proof, stage_result(bundle, "prove"));
  const double recorded = proof.value("relative_l2", 0.0);
  VerifyOptions options;
  options.seed = seed;
  options.threads = threads;
  options.relative_l2 = std::max(kErrorFloor, kErrorFactor * recorded);
  EDGEWRIGHT_ASSIGN(const VerifyReport verified,
                    verify(bundle + "/proof/recorded.npz", bundle + "/" + model, options));
  for (const ValueDifference& output : verified.outputs) {
    report.goals.push_back(
        {"relative-l2 of " + output.name, options.relative_l2, output.relative_l2, output.passed});
  }
  report.passed = report.passed && verified.passed;
  return {};
}

}  // namespace

Status finish_bundle(Deployment& d, const std::string& main_model) {
  EDGEWRIGHT_TRY(d.bundle.write("run.sh", run_script(main_model)));
  std::error_code error;
  std::filesystem::permissions(d.bundle.path("run.sh"), std::filesystem::perms::owner_exec,
                               std::filesystem::perm_options::add, error);
  d.report.binding_constraint = binding_constraint(d.report.goals);
  d.report.passed = d.report.binding_constraint.empty();
  std::vector<std::string> files = d.bundle.files();
  files.push_back("run.sh");
  for (const DeployStage& stage : d.bundle.stages()) {
    files.push_back("stages/" + stage.name + ".json");
  }
  std::ranges::sort(files);
  for (const std::string& relative : files) {
    EDGEWRIGHT_ASSIGN(BundleFile file, d.bundle.describe(relative));
    d.report.files.push_back(std::move(file));
  }
  d.bundle.remove_leftovers(files);
  const Json manifest = manifest_of(d, main_model);
  EDGEWRIGHT_TRY(d.bundle.write("manifest.json", manifest.dump(2) + "\n"));
  EDGEWRIGHT_ASSIGN(const std::string measurements, measure(d, main_model));
  EDGEWRIGHT_TRY(d.bundle.write("measurements.json", measurements));
  const auto page = report_page(deployment_document(d.bundle, manifest).dump(), "");
  if (page.ok()) return d.bundle.write("report.html", *page);
  if (page.error().kind != ErrorKind::kUnsupported) return page.error();
  d.report.warnings.push_back(page.error().message);
  return {};
}

Result<DeployReport> deploy(const DeployOptions& options) {
  EDGEWRIGHT_TRY(check_options(options));
  EDGEWRIGHT_ASSIGN(Device device, load_device(options.device));
  EDGEWRIGHT_ASSIGN(const std::string model_digest, digest_of(options.model));
  std::string data_digest;
  if (!options.data.empty()) {
    EDGEWRIGHT_ASSIGN(data_digest, digest_of(options.data));
  }
  EDGEWRIGHT_ASSIGN(Bundle bundle, Bundle::create(options.output));
  const std::string device_text = device_to_toml(device);
  Deployment d{options,     std::move(device), device_text, model_digest,
               data_digest, std::move(bundle), {}};
  d.report.bundle = options.output;
  d.report.model = options.model;
  d.report.device = d.device.name;
  EDGEWRIGHT_TRY(is_language_model(options.model) ? deploy_language_model(d) : deploy_network(d));
  d.report.stages = d.bundle.stages();
  return std::move(d.report);
}

Result<DeployReport> check_bundle(const std::string& bundle, int threads) {
  EDGEWRIGHT_ASSIGN(const Json manifest, read_manifest(bundle));
  DeployReport report;
  report.bundle = bundle;
  report.device = manifest.value("device", "");
  report.model = manifest.value("main_model", "");
  report.passed = true;
  if (!stays_inside(report.model)) {
    return bad_input("{}/manifest.json names '{}', which lies outside", bundle, report.model);
  }
  EDGEWRIGHT_TRY(check_files(bundle, manifest, report));
  if (report.passed && report.model.ends_with(".ewlm")) {
    EDGEWRIGHT_TRY(check_perplexity(bundle, report.model, threads, report));
  } else if (report.passed) {
    EDGEWRIGHT_TRY(
        check_outputs(bundle, report.model, manifest.value("seed", uint64_t{0}), threads, report));
  }
  report.binding_constraint = binding_constraint(report.goals);
  return report;
}

}  // namespace edgewright
