#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "api/power_load.h"
#include "base/file.h"
#include "edgewright/power.h"
#include "power/govern/governor.h"
#include "power/govern/privileged.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

PhaseHint read_hint(const std::string& file, PhaseHint last) {
  if (file.empty()) return last;
  RootedFiles files("/");
  std::error_code error;
  const std::string whole = std::filesystem::absolute(file, error).string();
  if (error) return last;
  const auto text = files.read(whole.substr(1));
  if (!text.ok()) return last;
  const auto hint = parse_phase_hint(*text);
  // An engine in the middle of writing leaves half a line; the last hint holds.
  return hint.ok() ? *hint : last;
}

// "0-3/4,5" of a pipeline over clusters, "none" where all divide every product.
std::string stages_text(const Device& device, const Setting& setting) {
  std::string text;
  for (size_t i = 0; setting.pipelined && i < setting.clusters.size(); ++i) {
    const auto cores = static_cast<size_t>(setting.clusters[i].cores);
    for (size_t core = 0; core < cores; ++core) {
      text += core > 0 ? "," : text.empty() ? "" : "/";
      text += fmt::format("{}", device.clusters[i].cpus[core]);
    }
  }
  return text.empty() ? "none" : text;
}

// What only the engine can do: batches, rests, threads, prompts beside decoding and pipelines.
// Written when it changes, as one line.
void advise(const std::string& file, const Device& device, const Decision& decision,
            PowerGovernReport& report) {
  if (file.empty()) return;
  int threads = 0;
  for (const ClusterSetting& used : decision.setting.clusters) threads += used.cores;
  std::string text =
      fmt::format("batch {} duty {:.3f} threads {}", decision.batch, decision.duty, threads);
  // Without a setting it is the last word: the engine goes on as it was set to.
  if (!decision.setting.clusters.empty()) {
    text += fmt::format(" beside {:.0f} stages {}", decision.chunk_tokens,
                        stages_text(device, decision.setting));
  }
  if (text == report.advice) return;
  const Status written = write_file(file, text + "\n");
  if (written.ok()) report.advice = text;
}

void keep_rounds(const PowerGovernOptions& options, const Device& device, Governor& governor,
                 PowerGovernReport& report) {
  const auto start = Clock::now();
  PhaseHint hint;
  // Rounds begin at fixed times, so that slow ones do not add up.
  for (int64_t round = 0;; ++round) {
    const double due_s = static_cast<double>(round) * options.period_ms * 1e-3;
    const bool over = options.seconds > 0 && due_s >= options.seconds;
    if (options.stop != nullptr && options.stop()) break;
    // What the last round set is held to the end.
    const double wake_s = over ? options.seconds : due_s;
    std::this_thread::sleep_until(
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(wake_s)));
    if (over) break;
    hint = read_hint(options.hint_file, hint);
    governor.step(std::chrono::duration<double>(Clock::now() - start).count(), hint);
    ++report.rounds;
    advise(options.advice_file, device, governor.decision(), report);
    report.hottest_c = std::max(report.hottest_c, governor.hottest_c());
  }
  report.held_s = std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Result<PowerGovernReport> power_govern(const PowerGovernOptions& options) {
  if (options.period_ms < 1)
    return usage_error("period {} ms, expected at least 1", options.period_ms);
  EDGEWRIGHT_ASSIGN(const Device device, load_device(options.device));
  EDGEWRIGHT_ASSIGN(const Machine machine, Machine::create(device));
  EDGEWRIGHT_ASSIGN(const LanguageLoad load, load_of(options.model, options.precision));
  const double skin_limit_c =
      options.skin_limit_c < 0 ? device.thermal_network.skin_limit_c : options.skin_limit_c;
  const PolicyContext context{.machine = &machine,
                              .load = &load,
                              .network = &device.thermal_network,
                              .skin_limit_c = skin_limit_c};
  EDGEWRIGHT_ASSIGN(const auto policy, make_policy(options.policy, context,
                                                   {.slack = 1.2,
                                                    .can_rest = !options.advice_file.empty(),
                                                    .interleave = !options.advice_file.empty()}));
  EDGEWRIGHT_ASSIGN(const auto knobs, options.socket.empty()
                                          ? start_helper(options.root, frequency_bounds(device))
                                          : HelperClient::connect(options.socket));
  RootedFiles files(options.root);
  // Whoever outlives this process gives back what it did to another.
  const auto process = options.pid > 0 ? knobs->control(options.pid) : nullptr;
  Governor governor(files, *knobs, *policy, machine, device, process.get(), options.pid);
  PowerGovernReport report{.device = device.name, .policy = options.policy};
  keep_rounds(options, device, governor, report);
  report.choice =
      governor.setting().clusters.empty() ? "none" : setting_text(machine, governor.setting());
  report.reached = governor.reached() && !governor.inventory().policies.empty();
  report.writes = governor.writes();
  report.energy_j = governor.meter().energy_j();
  report.meter = governor.meter().method();
  report.metered = governor.meter().working();
  if (governor.meter().window_s() > 0) {
    report.mean_power_w = report.energy_j / governor.meter().window_s();
  }
  report.warnings = governor.warnings();
  // An engine without a governor works as it is set to.
  if (!options.advice_file.empty()) advise(options.advice_file, device, Decision{}, report);
  const Status restored = knobs->restore();
  report.restored = restored.ok();
  if (!restored.ok()) {
    report.passed = false;
    report.warnings.push_back(restored.error().message);
  }
  return report;
}

Status power_govern_helper(const std::string& socket, const std::string& root,
                           const std::string& device) {
  RootedFiles files(root);
  std::vector<FrequencyBounds> bounds;
  if (!device.empty()) {
    EDGEWRIGHT_ASSIGN(const Device known, load_device(device));
    bounds = frequency_bounds(known);
  }
  static volatile bool never = false;
  return serve_knobs_at(files, socket, bounds, never);
}

}  // namespace edgewright
