#include "edgewright/profile.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>

#include "api/engine.h"
#include "api/host_roofs.h"
#include "api/open_backend.h"
#include "api/profile_language.h"
#include "api/profile_trials.h"
#include "api/session_inputs.h"
#include "base/cpu.h"
#include "base/file.h"
#include "edgewright/language.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "kernels/probe/probe_kernels.h"
#include "profile/advice.h"
#include "profile/analysis.h"
#include "profile/cost_model.h"
#include "profile/counters.h"
#include "profile/experiment.h"
#include "profile/pace.h"
#include "profile/roles.h"
#include "profile/step_code.h"
#include "profile/step_times.h"
#include "profile/thread_tracks.h"
#include "profile/time_model.h"
#include "profile/timeline.h"
#include "runtime/autotune.h"

namespace edgewright {
namespace {

// Shares of the wall time beyond which the sums do not count as reconciled.
constexpr double kLargestUnattributed = 0.02;
// Operators together cannot do more than the roofs allow; beyond this the roofs are wrong.
constexpr double kLargestReached = 1.2;
// Operators that take less than this are not experimented on.
constexpr double kConfirmedShare = 0.01;
// Samples that a document carries for later comparisons.
constexpr size_t kStepSamples = 50, kWallSamples = 200;

// Evenly spaced ones of many samples.
std::vector<float> thinned(const std::vector<float>& samples, size_t count) {
  if (samples.size() <= count) return samples;
  std::vector<float> kept(count);
  for (size_t i = 0; i < count; ++i) kept[i] = samples[i * samples.size() / count];
  return kept;
}

void add_times(const StepTimes& times, ProfileReport& report) {
  report.runs = times.pairs;
  report.disturbed_runs = times.disturbed_pairs;
  report.wall_us = times.wall_us;
  report.wall_spread = times.wall_spread;
  report.wall_samples_us = thinned(times.wall_samples_us, kWallSamples);
  report.profiled_wall_us = times.profiled_wall_us;
  report.overhead_us = times.before_us + times.after_us;
  for (size_t i = 0; i < report.operators.size(); ++i) {
    report.operators[i].start_us = times.start_us[i];
    report.operators[i].spread = times.step_spread[i];
    report.operators[i].samples_us = thinned(times.samples_us[i], kStepSamples);
    report.operators_us += times.step_us[i];
  }
  report.unattributed_us = report.wall_us - report.operators_us - report.overhead_us;
  if (std::abs(report.unattributed_us) > kLargestUnattributed * report.wall_us) {
    report.warnings.push_back(fmt::format(
        "{:.1f} % of the time is not accounted for: the machine was busy, or steps are very short",
        report.unattributed_us / report.wall_us * 100));
  }
}

void add_totals(const Roofline& roofline, ProfileReport& report) {
  for (const ProfiledOperator& op : report.operators) {
    report.multiply_adds += op.multiply_adds;
    report.flops += op.flops;
    report.parameter_bytes += op.weight_bytes;
  }
  report.roofs = roof_figures(roofline);
  report.ridge = roofline.ridge(DType::kFloat32);
  report.by_kind = breakdown(report.operators, &ProfiledOperator::kind);
  report.by_role = breakdown(report.operators, &ProfiledOperator::role);
  report.verdict = verdict_of(report);
  const double reached = reached_share(report.operators);
  if (reached > kLargestReached) {
    report.warnings.push_back(fmt::format(
        "operators reach {:.0f} % of the roofs: the machine was slower when they were measured; "
        "run device probe again while nothing else runs",
        reached * 100));
  }
}

void add_memory(const Plan& plan, const SessionFigures& figures, ProfileReport& report) {
  report.arena_bytes = static_cast<int64_t>(figures.arena_bytes);
  report.live_set_bytes = static_cast<int64_t>(figures.live_set_bytes);
  MemoryPeak peak = memory_peak(plan);
  report.peak_bytes = peak.bytes;
  report.peak_step = peak.step;
  constexpr size_t kShown = 12;
  if (peak.holders.size() > kShown) peak.holders.resize(kShown);
  report.peak_holders = std::move(peak.holders);
}

Result<Roofs> stated_roofs(const std::string& device) {
  if (device.find('=') != std::string::npos) return parse_roofs(device);
  EDGEWRIGHT_ASSIGN(const Device known, load_device(device));
  return roofs_of(known);
}

// On another device: nothing runs, the graph's nodes are placed on its roofline.
Result<ProfileReport> profile_elsewhere(const std::string& path, const ProfileOptions& options) {
  EDGEWRIGHT_ASSIGN(const Roofs roofs, stated_roofs(options.device));
  EDGEWRIGHT_ASSIGN(const Model model, load_model(path));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, options.session.shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  const Roofline roofline{&roofs,
                          options.session.threads > 1 ? options.session.threads : roofs.cores};
  ProfileReport report;
  report.model = path;
  report.device = roofs.device;
  report.threads = roofline.threads;
  report.is_modelled = true;
  report.operators = analyse_nodes(*model.graph, roofline);
  for (ProfiledOperator& op : report.operators) {
    op.role = op.kind;
    report.operators_us += op.time_us;
  }
  report.wall_us = report.profiled_wall_us = report.operators_us;
  add_totals(roofline, report);
  EDGEWRIGHT_TRY(write_exports(options.exports, report));
  return report;
}

// What the processor counted in one run, or why it did not.
void add_counters(Session& session, const std::vector<Datum>& inputs, ProfileReport& report) {
  const auto counted = count_events([&]() -> Status {
    EDGEWRIGHT_TRY(session.run(inputs));
    return {};
  });
  if (!counted.ok()) {
    report.counters = "absent: " + counted.error().message;
    return;
  }
  for (const CounterFigure& figure : *counted) {
    report.counters +=
        fmt::format("{}{} {}", report.counters.empty() ? "" : ", ", figure.count, figure.name);
  }
}

// Nothing where the file is not there; a warning where it cannot be used.
std::optional<TimeModel> cached_times(const std::string& path, ProfileReport& report) {
  if (path.empty() || !std::filesystem::exists(path)) return std::nullopt;
  const auto text = read_file(path);
  if (!text.ok()) return std::nullopt;
  auto parsed = TimeModel::parse(*text, path);
  if (parsed.ok()) return *std::move(parsed);
  report.warnings.push_back(parsed.error().message);
  return std::nullopt;
}

// What the operators would have been predicted to take, had they not been measured.
void add_predictions(const std::optional<TimeModel>& model, double pace_us, const Plan& plan,
                     const Roofline& roofline, ProfileReport& report) {
  if (model) report.machine_pace = pace_us / model->pace_us();
  const auto all_bytes = static_cast<double>(report.parameter_bytes + report.arena_bytes);
  std::map<const KernelImplementation*, double> uses;
  for (const PlanStep& step : plan.steps) uses[step.implementation] += 1;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    ProfiledOperator& row = report.operators[i];
    const Operation operation = operation_of(plan, plan.steps[i]);
    const Work work = work_of(operation);
    const auto own_bytes = static_cast<double>(work.bytes_read + work.bytes_written);
    const KernelImplementation* kernel = plan.steps[i].implementation;
    // Weights are used once in a run; of steps without it is the code that others drive away, and
    // that comes again with each step of the same kernel.
    const double others_bytes =
        std::max(0.0, all_bytes - own_bytes) / (is_of_weights(row) ? 1 : uses[kernel]);
    const Features features =
        features_of(operation, work, {others_bytes, kernel != nullptr && is_generated(*kernel)});
    const bool fitted = model && model->knows(work.kind, features) &&
                        plan.steps[i].kernel != nullptr && roofline.threads == 1;
    row.predicted_us = predict_us(roofline, work);
    if (fitted) {
      const double base_us = base_time_us({&model->roofs(), 1}, work, features);
      row.predicted_us =
          model->predict_us(features, base_us) *
          std::pow(report.machine_pace, core_share({&model->roofs(), 1}, work, features));
      // No sweep is larger than a large last cache.
      if (!row.levels.empty())
        row.predicted_us = std::max(row.predicted_us, row.levels.back().time_us);
    }
    report.predicted_us += report.operators[i].predicted_us;
  }
}

Result<ProfileReport> profile_here(const std::string& path, const ProfileOptions& options) {
  EDGEWRIGHT_ASSIGN(const Roofs roofs, host_roofs(options.roofs_cache));
  const auto start = std::chrono::steady_clock::now();
  EDGEWRIGHT_ASSIGN(auto opened, open_session(path, options.session));
  const double open_us = microseconds(start, std::chrono::steady_clock::now());
  Session& session = *opened.session;
  const double planned_us = session.figures().plan_us;
  EDGEWRIGHT_ASSIGN(const auto inputs, session_inputs(session.inputs(), options.inputs,
                                                      options.session, options.seed));
  StepTimeOptions time_options;
  time_options.seconds = options.seconds;
  time_options.progress = options.progress;
  ProfileReport report;
  const std::optional<TimeModel> model = cached_times(options.times_cache, report);
  EDGEWRIGHT_ASSIGN(PaceMeter pace, PaceMeter::create());
  time_options.pace_us = [&pace] { return pace.round_us(); };
  if (model) time_options.quick_pace_us = model->pace_us();
  EDGEWRIGHT_ASSIGN(const StepTimes times, measure_steps(session, inputs, time_options));
  const Roofline roofline{&roofs, options.session.threads};
  report.model = path;
  report.device = roofs.device;
  report.cpu = host_cpu().model;
  report.threads = options.session.threads;
  const SessionFigures& figures = session.figures();
  report.load_us = open_us;
  report.first_inference_us = figures.first_inference_us;
  report.operators = analyse_steps(session.plan(), roofline, times.step_us);
  assign_roles(session.plan(), report.operators);
  // Where shapes are open the first inference makes the plan.
  report.phases = {{"load", open_us - planned_us, 0, 1},
                   {"plan and layout", figures.plan_us, 0, 1},
                   {"warm-up", report.first_inference_us - (figures.plan_us - planned_us), 0, 1},
                   {"inference", times.wall_us, 1, 1},
                   {"post-processing", times.after_us, 0, 1}};
  add_times(times, report);
  add_totals(roofline, report);
  add_memory(session.plan(), session.figures(), report);
  add_predictions(model, times.pace_us, session.plan(), roofline, report);
  add_counters(session, inputs, report);
  if (options.session.threads > 1) {
    EDGEWRIGHT_ASSIGN(report.tracks, thread_tracks(session, inputs, report.operators));
  }
  if (options.confirm) {
    EDGEWRIGHT_TRY(
        look_at_code(session.plan(), kConfirmedShare, report.operators, options.progress));
  }
  if (options.confirm) {
    const MoveKernels move{probe_read, probe_write};
    EDGEWRIGHT_ASSIGN(report.confirmed_share, confirm(session.plan(), roofs, move, kConfirmedShare,
                                                      report.operators, options.progress));
  }
  report.advice = advise(report, roofs);
  const TrialBase base{&session, &inputs, report.wall_us, &pace, times.pace_us};
  if (options.apply) EDGEWRIGHT_TRY(apply_advice(path, options, roofs, base, report));
  if (!options.batches.empty()) EDGEWRIGHT_TRY(measure_batches(path, options, base, report));
  EDGEWRIGHT_TRY(write_exports(options.exports, report));
  return report;
}

}  // namespace

Result<ProfileReport> profile(const std::string& path, const ProfileOptions& options) {
  EDGEWRIGHT_TRY(check_batch_options(options));
  if (is_language_model(path)) return profile_language_model(path, options);
  return options.device.empty() ? profile_here(path, options) : profile_elsewhere(path, options);
}

}  // namespace edgewright
