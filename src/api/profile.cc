#include "edgewright/profile.h"

#include <algorithm>
#include <filesystem>

#include "api/engine.h"
#include "api/host_roofs.h"
#include "api/open_backend.h"
#include "api/profile_language.h"
#include "api/session_inputs.h"
#include "base/cpu.h"
#include "base/file.h"
#include "edgewright/language.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "kernels/probe/probe_kernels.h"
#include "profile/advice.h"
#include "profile/analysis.h"
#include "profile/batch_model.h"
#include "profile/cost_model.h"
#include "profile/counters.h"
#include "profile/experiment.h"
#include "profile/roles.h"
#include "profile/scaling.h"
#include "profile/step_code.h"
#include "profile/step_times.h"
#include "profile/thread_tracks.h"
#include "profile/time_model.h"
#include "profile/timeline.h"

namespace edgewright {
namespace {

// Shares of the wall time beyond which the sums do not count as reconciled.
constexpr double kLargestUnattributed = 0.02;
// Operators that take less than this are not experimented on.
constexpr double kConfirmedShare = 0.01;
// Operators that take less are taken to scale like their kind.
constexpr double kTriedShare = 0.002;
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

// What the operators would have been predicted to take, had they not been measured.
void add_predictions(const ProfileOptions& options, const Plan& plan, const Roofline& roofline,
                     ProfileReport& report) {
  std::optional<TimeModel> model;
  if (!options.times_cache.empty() && std::filesystem::exists(options.times_cache)) {
    if (const auto text = read_file(options.times_cache); text.ok()) {
      auto parsed = TimeModel::parse(*text, options.times_cache);
      if (parsed.ok()) {
        model = *std::move(parsed);
      } else {
        report.warnings.push_back(parsed.error().message);
      }
    }
  }
  const auto all_bytes = static_cast<double>(report.parameter_bytes + report.arena_bytes);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Operation operation = operation_of(plan, plan.steps[i]);
    const Work work = work_of(operation);
    const auto own_bytes = static_cast<double>(work.bytes_read + work.bytes_written);
    const Features features = features_of(operation, work, std::max(0.0, all_bytes - own_bytes));
    const bool fitted = model && model->knows(work.kind, features) &&
                        plan.steps[i].kernel != nullptr && roofline.threads == 1;
    ProfiledOperator& row = report.operators[i];
    row.predicted_us = predict_us(roofline, work);
    if (fitted) {
      row.predicted_us = model->predict_us(features, base_time_us(roofline, work, features));
      // No sweep is larger than a large last cache.
      if (!row.levels.empty())
        row.predicted_us = std::max(row.predicted_us, row.levels.back().time_us);
    }
    report.predicted_us += report.operators[i].predicted_us;
  }
}

// ---- Batches and advice that is tried ----

// The shapes of all inputs with another batch. kUnsupported when an input's first dimension is not
// open.
Result<InputShapes> batch_shapes(const std::string& path, const ProfileOptions& options,
                                 int64_t batch) {
  EDGEWRIGHT_ASSIGN(const Model model, load_model(path));
  InputShapes shapes = options.session.shapes;
  std::string symbol;
  for (const Value* input : model.graph->inputs()) {
    if (input->is_constant() || !input->type.shape || input->type.shape->empty()) continue;
    const Shape& shape = *input->type.shape;
    if (shape[0].is_known() || (!symbol.empty() && shape[0].symbol != symbol)) {
      return unsupported("input '{}' has shape {}: its first dimension is no open batch",
                         input->name, shape_text(shape));
    }
    symbol = shape[0].symbol;
    auto given = shapes.find(input->name);
    if (given == shapes.end()) {
      Dims dims;
      dims.reserve(shape.size());
      for (const Dim& dim : shape) dims.push_back(dim.is_known() ? dim.value : 1);
      given = shapes.emplace(input->name, std::move(dims)).first;
    }
    given->second[0] = batch;
  }
  return shapes;
}

struct TrialRun {
  double wall_us = 0;
  int64_t arena_bytes = 0;
};

// The wall time of the model with other shapes or threads.
Result<TrialRun> try_run(const std::string& path, const ProfileOptions& options,
                         const InferenceOptions& session_options) {
  ProfileOptions trial = options;
  trial.session = session_options;
  trial.inputs.clear();
  EDGEWRIGHT_ASSIGN(auto opened, open_session(path, session_options));
  EDGEWRIGHT_ASSIGN(const auto inputs, session_inputs(opened.session->inputs(), trial.inputs,
                                                      trial.session, trial.seed));
  StepTimeOptions time_options;
  time_options.seconds = options.seconds / 2;
  EDGEWRIGHT_ASSIGN(const StepTimes times, measure_steps(*opened.session, inputs, time_options));
  return TrialRun{times.wall_us, static_cast<int64_t>(opened.session->figures().arena_bytes)};
}

Status measure_batches(const std::string& path, const ProfileOptions& options,
                       ProfileReport& report) {
  std::vector<BatchPoint> points;
  for (const int64_t batch : options.batches) {
    if (options.progress) options.progress("batches", points.size(), options.batches.size());
    InferenceOptions session = options.session;
    EDGEWRIGHT_ASSIGN(session.shapes, batch_shapes(path, options, batch));
    EDGEWRIGHT_ASSIGN(const TrialRun run, try_run(path, options, session));
    points.push_back({batch, run.wall_us, run.arena_bytes});
  }
  EDGEWRIGHT_ASSIGN(const BatchModel model, BatchModel::fit(points));
  BatchGoal goal;
  goal.latency_cost = options.latency_cost;
  goal.throughput_cost = options.throughput_cost;
  goal.memory_limit_bytes = options.memory_limit_bytes;
  report.best_batch = model.best(goal);
  const int64_t largest = std::ranges::max(points, {}, &BatchPoint::batch).batch;
  for (int64_t batch = 1; batch <= largest; ++batch) {
    const bool measured = std::ranges::find(points, batch, &BatchPoint::batch) != points.end();
    report.batches.push_back({batch, model.latency_us(batch), measured, model.efficiency(batch),
                              model.cost(batch, goal), model.memory_bytes(batch),
                              padding_share(options.lengths, batch)});
  }
  return {};
}

constexpr int64_t kTrialBatch = 8;

struct AppliedStep {
  const char* name;
  const char* why;
  Change change;
};

// What this tool can try by itself: predicted from the kernels alone, then run.
Status apply_advice(const std::string& path, const ProfileOptions& options, const Roofs& roofs,
                    const Plan& plan, ProfileReport& report) {
  const AppliedStep steps[] = {
      {"all threads", "the same inference on every core", {roofs.cores, 1}},
      {"batch of 8, per sample", "samples share weights and launches", {0, kTrialBatch}},
  };
  for (const AppliedStep& step : steps) {
    if (step.change.threads > 0 && step.change.threads <= options.session.threads) continue;
    InferenceOptions session = options.session;
    if (step.change.threads > 0) session.threads = step.change.threads;
    if (step.change.batch > 1) {
      auto shapes = batch_shapes(path, options, step.change.batch);
      if (!shapes.ok()) {
        report.warnings.push_back(
            fmt::format("'{}' was not tried: {}", step.name, shapes.error().message));
        continue;
      }
      session.shapes = *std::move(shapes);
    }
    EDGEWRIGHT_ASSIGN(
        const double predicted,
        predict_change(plan, report.operators, report.overhead_us, step.change, kTriedShare));
    EDGEWRIGHT_ASSIGN(const TrialRun run, try_run(path, options, session));
    const auto per = static_cast<double>(step.change.batch);
    AdviceRow row;
    row.opportunity = step.name;
    row.why = step.why;
    row.share = 1;
    row.predicted_us = predicted / per;
    row.speedup = report.wall_us / row.predicted_us;
    row.command = step.change.threads > 0 ? fmt::format("--threads {}", step.change.threads)
                                          : "--shape with 8 in front";
    row.applied = true;
    row.achieved_us = run.wall_us / per;
    report.advice.push_back(std::move(row));
  }
  return {};
}

Result<ProfileReport> profile_here(const std::string& path, const ProfileOptions& options) {
  EDGEWRIGHT_ASSIGN(const Roofs roofs, host_roofs(options.roofs_cache));
  EDGEWRIGHT_ASSIGN(auto opened, open_session(path, options.session));
  Session& session = *opened.session;
  EDGEWRIGHT_ASSIGN(const auto inputs, session_inputs(session.inputs(), options.inputs,
                                                      options.session, options.seed));
  StepTimeOptions time_options;
  time_options.seconds = options.seconds;
  time_options.progress = options.progress;
  EDGEWRIGHT_ASSIGN(const StepTimes times, measure_steps(session, inputs, time_options));
  const Roofline roofline{&roofs, options.session.threads};
  ProfileReport report;
  report.model = path;
  report.device = roofs.device;
  report.cpu = host_cpu().model;
  report.threads = options.session.threads;
  report.load_us = session.figures().load_us;
  report.first_inference_us = session.figures().first_inference_us;
  report.operators = analyse_steps(session.plan(), roofline, times.step_us);
  assign_roles(session.plan(), report.operators);
  add_times(times, report);
  add_totals(roofline, report);
  add_memory(session.plan(), session.figures(), report);
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
  add_predictions(options, session.plan(), roofline, report);
  report.advice = advise(report, roofs);
  if (options.apply) EDGEWRIGHT_TRY(apply_advice(path, options, roofs, session.plan(), report));
  if (!options.batches.empty()) EDGEWRIGHT_TRY(measure_batches(path, options, report));
  EDGEWRIGHT_TRY(write_exports(options.exports, report));
  report.phases = {{"load", report.load_us, 0, 1},
                   {"first inference", report.first_inference_us, 0, 1},
                   {"inference", report.wall_us, 1, 1}};
  return report;
}

}  // namespace

Result<ProfileReport> profile(const std::string& path, const ProfileOptions& options) {
  if (is_language_model(path)) return profile_language_model(path, options);
  return options.device.empty() ? profile_here(path, options) : profile_elsewhere(path, options);
}

}  // namespace edgewright
