#include "edgewright/profile.h"

#include "api/engine.h"
#include "api/host_roofs.h"
#include "api/open_backend.h"
#include "base/cpu.h"
#include "base/file.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "profile/analysis.h"
#include "profile/roles.h"
#include "profile/step_times.h"
#include "profile/timeline.h"
#include "verify/inputs.h"

namespace edgewright {
namespace {

// Shares of the wall time beyond which the sums do not count as reconciled.
constexpr double kLargestUnattributed = 0.02;
// Samples that a document carries for later comparisons.
constexpr size_t kStepSamples = 50, kWallSamples = 200;

Result<std::vector<Datum>> profile_inputs(const Session& session, const ProfileOptions& options) {
  Graph graph;
  for (const auto& port : session.inputs()) graph.add_input(port.name, port.type);
  InputOptions input_options;
  input_options.seed = options.seed;
  input_options.shapes = options.session.shapes;
  for (const auto& [name, tensor] : options.inputs) input_options.shapes[name] = tensor.dims();
  EDGEWRIGHT_ASSIGN(auto inputs, make_inputs(graph, input_options));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto given = options.inputs.find(session.inputs()[i].name);
    if (given != options.inputs.end()) inputs[i] = given->second;
  }
  return inputs;
}

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

Status write_exports(const ProfileOptions& options, ProfileReport& report) {
  for (const std::string& path : options.exports) {
    EDGEWRIGHT_ASSIGN(const std::string text, exported(report, path));
    EDGEWRIGHT_TRY(write_file(path, text));
    report.exported.push_back(path);
  }
  return {};
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
  EDGEWRIGHT_TRY(write_exports(options, report));
  return report;
}

Result<ProfileReport> profile_here(const std::string& path, const ProfileOptions& options) {
  EDGEWRIGHT_ASSIGN(const Roofs roofs, host_roofs(options.roofs_cache));
  EDGEWRIGHT_ASSIGN(auto opened, open_session(path, options.session));
  Session& session = *opened.session;
  EDGEWRIGHT_ASSIGN(const auto inputs, profile_inputs(session, options));
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
  EDGEWRIGHT_TRY(write_exports(options, report));
  report.phases = {{"load", report.load_us, 0, 1},
                   {"first inference", report.first_inference_us, 0, 1},
                   {"inference", report.wall_us, 1, 1}};
  return report;
}

}  // namespace

Result<ProfileReport> profile(const std::string& path, const ProfileOptions& options) {
  return options.device.empty() ? profile_here(path, options) : profile_elsewhere(path, options);
}

}  // namespace edgewright
