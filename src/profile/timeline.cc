#include "profile/timeline.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "profile/trace/chrome_json.h"
#include "profile/trace/perfetto.h"

namespace edgewright {
namespace {

TraceSlice slice_of(const ProfiledOperator& op, uint32_t track) {
  TraceSlice slice{op.name, "operator", track, op.start_us, op.time_us, {}, {}};
  slice.numbers = {{"flops", static_cast<double>(op.flops)},
                   {"bytes_read", static_cast<double>(op.bytes_read)},
                   {"bytes_written", static_cast<double>(op.bytes_written)},
                   {"gop_s", op.gop_s},
                   {"intensity_flop_per_byte", op.intensity}};
  slice.words = {
      {"op", op.op}, {"implementation", op.implementation}, {"kind", op.kind}, {"bound", op.bound}};
  return slice;
}

// A slice around each run of neighbouring operators of one layer.
void add_layers(const ProfileReport& report, uint32_t track, Trace& trace) {
  for (size_t i = 0; i < report.operators.size();) {
    const std::string& layer = report.operators[i].layer;
    size_t end = i + 1;
    while (end < report.operators.size() && report.operators[end].layer == layer) ++end;
    const ProfiledOperator& first = report.operators[i];
    const ProfiledOperator& last = report.operators[end - 1];
    if (!layer.empty()) {
      trace.slices.push_back({"layer " + layer,
                              "layer",
                              track,
                              first.start_us,
                              last.start_us + last.time_us - first.start_us,
                              {},
                              {}});
    }
    i = end;
  }
}

void add_tracks(const ProfileReport& report, Trace& trace) {
  for (const ProfileTrack& one : report.tracks) {
    const uint32_t track = trace.track(one.name);
    for (const TrackSlice& slice : one.slices) {
      trace.slices.push_back(
          {slice.name, slice.kind, track, slice.start_us, slice.time_us, {}, {}});
    }
  }
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + '"';
}

}  // namespace

Trace timeline_of(const ProfileReport& report) {
  Trace trace;
  trace.source = "edgewright";
  const uint32_t track = trace.track("inference");
  double end = report.wall_us;
  for (const ProfiledOperator& op : report.operators) {
    end = std::max(end, op.start_us + op.time_us);
  }
  trace.slices.push_back({"inference", "run", track, 0, end, {}, {}});
  add_tracks(report, trace);
  // Of a language model the tracks tell when each call was; its rows are sums over calls.
  const bool has_calls = std::ranges::any_of(
      report.operators, [](const ProfiledOperator& op) { return !op.phase.empty(); });
  if (has_calls) return trace;
  add_layers(report, track, trace);
  TraceCounter rate{"arithmetic", "GOP/s", {}}, bandwidth{"bandwidth", "GB/s", {}},
      operands{"operands", "bytes", {}};
  for (const ProfiledOperator& op : report.operators) {
    trace.slices.push_back(slice_of(op, track));
    const auto bytes = static_cast<double>(op.bytes_read + op.bytes_written);
    rate.points.emplace_back(op.start_us, op.gop_s);
    bandwidth.points.emplace_back(op.start_us, op.time_us > 0 ? bytes / op.time_us / 1e3 : 0);
    operands.points.emplace_back(op.start_us, bytes);
  }
  trace.counters = {std::move(rate), std::move(bandwidth), std::move(operands)};
  return trace;
}

std::string operators_csv(const ProfileReport& report) {
  std::string text =
      "name,op,implementation,kind,role,layer,start_us,time_us,share,multiply_adds,flops,"
      "bytes_read,bytes_written,intensity_flop_per_byte,gop_s,attainable_gop_s,bound,access\n";
  for (const ProfiledOperator& op : report.operators) {
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", quoted(op.name),
                    op.op, op.implementation, op.kind, op.role, op.layer, op.start_us, op.time_us,
                    op.share, op.multiply_adds, op.flops, op.bytes_read, op.bytes_written,
                    op.intensity, op.gop_s, op.attainable_gop_s, op.bound, op.access);
  }
  return text;
}

Result<std::string> exported(const ProfileReport& report, std::string_view path) {
  if (path.ends_with(".csv")) return operators_csv(report);
  if (path.ends_with(".json")) return to_chrome_json(timeline_of(report));
  if (path.ends_with(".perfetto-trace") || path.ends_with(".pftrace")) {
    return to_perfetto(timeline_of(report));
  }
  return usage_error(
      "found --export {}, expected a file that ends in .json (Chrome trace), "
      ".perfetto-trace, .pftrace or .csv",
      path);
}

Status write_exports(const std::vector<std::string>& paths, ProfileReport& report) {
  for (const std::string& path : paths) {
    EDGEWRIGHT_ASSIGN(const std::string text, exported(report, path));
    EDGEWRIGHT_TRY(write_file(path, text));
    report.exported.push_back(path);
  }
  return {};
}

}  // namespace edgewright
