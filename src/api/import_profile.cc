#include <algorithm>

#include "api/host_roofs.h"
#include "base/file.h"
#include "edgewright/profile.h"
#include "profile/analysis.h"
#include "profile/compare_runs.h"
#include "profile/trace/chrome_json.h"
#include "profile/trace/nsight.h"
#include "profile/trace/perfetto.h"
#include "profile/trace/trace.h"

namespace edgewright {
namespace {

constexpr size_t kMaxTraceBytes = size_t{1} << 30;

Result<Trace> read_trace(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const std::string bytes, read_file(path, kMaxTraceBytes));
  if (is_sqlite(bytes)) return import_nsight(path);
  return import_trace(bytes, path);
}

// FLOPs and the bound, where the trace tells the shapes. Attributes are not in traces: grouped
// convolutions are seen from their weights, strides from the output.
void place(const TracedOperator& traced, const Roofline& roofline, ImportedOperator& row) {
  if (traced.inputs.empty() || traced.outputs.empty() || traced.calls < 1) return;
  const Attributes none;
  const Operation operation{traced.name, "", traced.op, &none, traced.inputs, traced.outputs, 0};
  const Work work = work_of(operation);
  if (!work.complete) return;
  const double each_us = traced.total_us / static_cast<double>(traced.calls);
  row.flops = work.flops;
  row.gop_s = each_us > 0 ? static_cast<double>(work.flops) / each_us / 1e3 : 0;
  const RoofTimes times = roof_times(roofline, work, {});
  row.intensity = times.intensity;
  row.bound = bound_of(times, *roofline.roofs, each_us);
}

void add_operators(const Trace& trace, const Roofline& roofline, ImportReport& report) {
  for (const TracedOperator& traced : trace.operators) report.total_us += traced.total_us;
  report.operators.reserve(trace.operators.size());
  for (const TracedOperator& traced : trace.operators) {
    ImportedOperator row{
        traced.name, traced.op, traced.implementation, traced.calls, traced.total_us, 0, 0, 0,
        0,           ""};
    row.share = report.total_us > 0 ? traced.total_us / report.total_us : 0;
    place(traced, roofline, row);
    report.operators.push_back(std::move(row));
  }
  std::ranges::stable_sort(report.operators, std::greater<>(), &ImportedOperator::total_us);
}

std::vector<BreakdownRow> by_operator(const ImportReport& report) {
  std::map<std::string, BreakdownRow> rows;
  for (const ImportedOperator& op : report.operators) {
    BreakdownRow& row = rows[op.op];
    row.name = op.op;
    row.time_us += op.total_us;
    row.share += op.share;
    ++row.count;
  }
  std::vector<BreakdownRow> sorted;
  sorted.reserve(rows.size());
  for (auto& [name, row] : rows) sorted.push_back(std::move(row));
  std::ranges::stable_sort(sorted, std::greater<>(), &BreakdownRow::time_us);
  return sorted;
}

void add_figures(const Trace& trace, ImportReport& report) {
  const TraceFigures figures = trace_figures(trace);
  report.span_us = figures.span_us;
  report.busy_us = figures.busy_us;
  report.idle_us = figures.idle_us;
  report.longest_gap_us = figures.longest_gap_us;
  report.largest_concurrency = figures.largest_concurrency;
  report.average_concurrency = figures.average_concurrency;
  report.synchronisations = figures.synchronisations;
  report.synchronise_us = figures.synchronise_us;
  report.copied_bytes = figures.copied_bytes;
  report.copy_us = figures.copy_us;
}

Status write_trace(const Trace& trace, const std::string& path) {
  if (path.ends_with(".json")) return write_file(path, to_chrome_json(trace));
  if (path.ends_with(".perfetto-trace") || path.ends_with(".pftrace")) {
    return write_file(path, to_perfetto(trace));
  }
  return usage_error(
      "found --export {}, expected a file that ends in .json (Chrome trace), "
      ".perfetto-trace or .pftrace",
      path);
}

}  // namespace

Result<ImportReport> import_profile(const std::string& path, const ProfileOptions& options) {
  EDGEWRIGHT_ASSIGN(const Trace trace, read_trace(path));
  EDGEWRIGHT_ASSIGN(const Roofs roofs, host_roofs(options.roofs_cache));
  const Roofline roofline{&roofs, options.session.threads};
  ImportReport report;
  report.file = path;
  report.source = trace.source;
  report.runs = trace.runs;
  report.slices = std::ssize(trace.slices);
  report.tracks = trace.tracks;
  report.stated_total_us = trace.stated_total_us;
  add_operators(trace, roofline, report);
  report.by_op = by_operator(report);
  add_figures(trace, report);
  for (const std::string& file : options.exports) {
    EDGEWRIGHT_TRY(write_trace(trace, file));
    report.exported.push_back(file);
  }
  return report;
}

Result<ProfileComparison> compare_profiles(const std::string& first, const std::string& second) {
  EDGEWRIGHT_ASSIGN(const std::string a, read_file(first));
  EDGEWRIGHT_ASSIGN(const std::string b, read_file(second));
  return compare_profiles_text(a, b);
}

}  // namespace edgewright
