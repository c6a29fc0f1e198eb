#include <algorithm>
#include <chrono>
#include <thread>

#include "base/file.h"
#include "edgewright/power.h"
#include "power/govern/governor.h"
#include "power/govern/privileged.h"
#include "power/language_load.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// What drives the rates of a governor where no model is named: TinyLlama 1.1B.
constexpr LanguageShape kLlama1b{.hidden = 2048,
                                 .layers = 22,
                                 .heads = 32,
                                 .kv_heads = 4,
                                 .head_size = 64,
                                 .feed_forward = 5632,
                                 .vocabulary = 32000};

PhaseHint read_hint(const std::string& file, PhaseHint last) {
  if (file.empty()) return last;
  RootedFiles files("/");
  const auto text = files.read(file.starts_with('/') ? file.substr(1) : file);
  if (!text.ok()) return last;
  const auto hint = parse_phase_hint(*text);
  // An engine in the middle of writing leaves half a line; the last hint holds.
  return hint.ok() ? *hint : last;
}

// What only the engine can do: batches, rests and threads. Written when it changes, as one line.
void advise(const std::string& file, const Decision& decision, PowerGovernReport& report) {
  if (file.empty()) return;
  int threads = 0;
  for (const ClusterSetting& used : decision.setting.clusters) threads += used.cores;
  const std::string text =
      fmt::format("batch {} duty {:.3f} threads {}", decision.batch, decision.duty, threads);
  if (text == report.advice) return;
  const Status written = write_file(file, text + "\n");
  if (written.ok()) report.advice = text;
}

void keep_rounds(const PowerGovernOptions& options, Governor& governor, PowerGovernReport& report) {
  const auto start = Clock::now();
  PhaseHint hint;
  // Rounds begin at fixed times, so that slow ones do not add up.
  for (int64_t round = 0;; ++round) {
    const double due_s = static_cast<double>(round) * options.period_ms * 1e-3;
    if (options.seconds > 0 && due_s >= options.seconds) break;
    if (options.stop != nullptr && options.stop()) break;
    std::this_thread::sleep_until(
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(due_s)));
    hint = read_hint(options.hint_file, hint);
    governor.step(std::chrono::duration<double>(Clock::now() - start).count(), hint);
    ++report.rounds;
    advise(options.advice_file, governor.decision(), report);
    report.hottest_c = std::max(report.hottest_c, governor.hottest_c());
  }
  report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Result<PowerGovernReport> power_govern(const PowerGovernOptions& options) {
  if (options.period_ms < 1)
    return usage_error("period {} ms, expected at least 1", options.period_ms);
  EDGEWRIGHT_ASSIGN(const Device device, load_device(options.device));
  EDGEWRIGHT_ASSIGN(const Machine machine, Machine::create(device));
  EDGEWRIGHT_ASSIGN(const LanguageLoad load, language_load(kLlama1b, options.precision));
  const double skin_limit_c =
      options.skin_limit_c < 0 ? device.thermal_network.skin_limit_c : options.skin_limit_c;
  const PolicyContext context{.machine = &machine,
                              .load = &load,
                              .network = &device.thermal_network,
                              .skin_limit_c = skin_limit_c};
  EDGEWRIGHT_ASSIGN(const auto policy,
                    make_policy(options.policy, context,
                                {.slack = 1.2, .can_rest = !options.advice_file.empty()}));
  EDGEWRIGHT_ASSIGN(const auto knobs, options.socket.empty()
                                          ? start_helper(options.root, frequency_bounds(device))
                                          : HelperClient::connect(options.socket));
  RootedFiles files(options.root);
  // Whoever outlives this process gives back what it did to another.
  const auto process = options.pid > 0 ? knobs->control(options.pid) : nullptr;
  Governor governor(files, *knobs, *policy, machine, device, process.get(), options.pid);
  PowerGovernReport report{.device = device.name, .policy = options.policy};
  keep_rounds(options, governor, report);
  report.choice =
      governor.setting().clusters.empty() ? "none" : setting_text(machine, governor.setting());
  report.reached = governor.reached() && !governor.inventory().policies.empty();
  report.writes = governor.writes();
  report.energy_j = governor.meter().energy_j();
  report.meter = governor.meter().method();
  if (governor.meter().window_s() > 0) {
    report.mean_power_w = report.energy_j / governor.meter().window_s();
  }
  report.warnings = governor.warnings();
  // An engine without a governor works as it is set to.
  if (!options.advice_file.empty()) advise(options.advice_file, Decision{}, report);
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
