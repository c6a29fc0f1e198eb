#include "profile/trace/trace.h"

#include <algorithm>
#include <array>
#include <limits>

#include "profile/trace/chrome_json.h"
#include "profile/trace/onnxruntime.h"
#include "profile/trace/openvino.h"
#include "profile/trace/perfetto.h"
#include "profile/trace/tflite.h"

namespace edgewright {
namespace {

constexpr std::array<TraceFormat, 5> kFormats = {{
    {"onnxruntime", is_onnxruntime_profile, parse_onnxruntime_profile},
    {"chrome", is_chrome_json, parse_chrome_json},
    {"openvino", is_openvino_report, parse_openvino_report},
    {"tflite", is_tflite_report, parse_tflite_report},
    {"perfetto", is_perfetto_trace, parse_perfetto_trace},
}};

// A share of a slice by which the clocks of tracers round.
constexpr double kRoundingUs = 1e-3;

struct Edge {
  double time_us;
  int change;
};

// Slices that no other slice of their track contains, so that nothing counts twice.
std::vector<const TraceSlice*> outermost(const Trace& trace) {
  std::vector<const TraceSlice*> order;
  order.reserve(trace.slices.size());
  for (const TraceSlice& slice : trace.slices) {
    if (slice.category != "run") order.push_back(&slice);
  }
  std::ranges::stable_sort(order, [](const TraceSlice* a, const TraceSlice* b) {
    return a->start_us < b->start_us ||
           (a->start_us == b->start_us && a->duration_us > b->duration_us);
  });
  std::vector<double> ends(trace.tracks.size() + 1, -std::numeric_limits<double>::infinity());
  std::erase_if(order, [&](const TraceSlice* slice) {
    double& end = ends[std::min<size_t>(slice->track, trace.tracks.size())];
    if (slice->start_us < end - kRoundingUs) return true;
    end = slice->start_us + slice->duration_us;
    return false;
  });
  return order;
}

void count_special(const Trace& trace, TraceFigures& figures) {
  for (const TraceSlice& slice : trace.slices) {
    if (slice.category == "synchronise") {
      ++figures.synchronisations;
      figures.synchronise_us += slice.duration_us;
    }
    if (slice.category != "copy") continue;
    figures.copy_us += slice.duration_us;
    const auto bytes = slice.numbers.find("bytes");
    if (bytes != slice.numbers.end()) figures.copied_bytes += bytes->second;
  }
}

}  // namespace

std::span<const TraceFormat> trace_formats() { return kFormats; }

uint32_t Trace::track(std::string_view name) {
  const auto found = std::ranges::find(tracks, name);
  if (found != tracks.end()) return static_cast<uint32_t>(found - tracks.begin());
  tracks.emplace_back(name);
  return static_cast<uint32_t>(tracks.size() - 1);
}

Result<Trace> import_trace(std::string_view bytes, std::string_view file) {
  std::string names;
  for (const TraceFormat& format : trace_formats()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format.name);
    if (!format.recognise(bytes.substr(0, 4096))) continue;
    auto trace = format.parse(bytes);
    if (!trace.ok()) {
      return std::move(trace).error().at(fmt::format("{} ({})", file, format.name));
    }
    trace->source = format.name;
    if (trace->operators.empty()) sum_operators(*trace);
    return trace;
  }
  return bad_input("{}: no known profile or trace; expected one of {} or an Nsight Systems .sqlite",
                   file, names);
}

TraceFigures trace_figures(const Trace& trace) {
  TraceFigures figures;
  count_special(trace, figures);
  std::vector<Edge> edges;
  for (const TraceSlice* slice : outermost(trace)) {
    edges.push_back({slice->start_us, 1});
    edges.push_back({slice->start_us + slice->duration_us, -1});
  }
  if (edges.empty()) return figures;
  std::ranges::stable_sort(edges, [](const Edge& a, const Edge& b) {
    return a.time_us < b.time_us || (a.time_us == b.time_us && a.change > b.change);
  });
  figures.span_us = edges.back().time_us - edges.front().time_us;
  double weighted = 0;
  int running = 0;
  for (size_t i = 0; i + 1 < edges.size(); ++i) {
    running += edges[i].change;
    figures.largest_concurrency = std::max<double>(figures.largest_concurrency, running);
    const double length = edges[i + 1].time_us - edges[i].time_us;
    if (running > 0) {
      figures.busy_us += length;
      weighted += running * length;
    } else {
      figures.idle_us += length;
      figures.longest_gap_us = std::max(figures.longest_gap_us, length);
    }
  }
  figures.average_concurrency = figures.busy_us > 0 ? weighted / figures.busy_us : 0;
  return figures;
}

bool is_nested(const Trace& trace) {
  std::vector<std::vector<const TraceSlice*>> tracks(trace.tracks.size());
  for (const TraceSlice& slice : trace.slices) {
    if (slice.track >= tracks.size()) return false;
    tracks[slice.track].push_back(&slice);
  }
  for (auto& slices : tracks) {
    std::ranges::stable_sort(slices, [](const TraceSlice* a, const TraceSlice* b) {
      return a->start_us < b->start_us ||
             (a->start_us == b->start_us && a->duration_us > b->duration_us);
    });
    std::vector<double> open;
    for (const TraceSlice* slice : slices) {
      const double end = slice->start_us + slice->duration_us;
      while (!open.empty() && open.back() <= slice->start_us + kRoundingUs) open.pop_back();
      if (!open.empty() && end > open.back() + kRoundingUs) return false;
      open.push_back(end);
    }
  }
  return true;
}

void sum_operators(Trace& trace) {
  std::map<std::string, size_t> index;
  for (const TraceSlice& slice : trace.slices) {
    if (slice.category == "run") continue;
    const auto [entry, is_first] = index.try_emplace(slice.name, trace.operators.size());
    if (is_first) {
      TracedOperator made;
      made.name = slice.name;
      const auto op = slice.words.find("op");
      made.op = op == slice.words.end() ? slice.category : op->second;
      trace.operators.push_back(std::move(made));
    }
    TracedOperator& op = trace.operators[entry->second];
    ++op.calls;
    op.total_us += slice.duration_us;
  }
}

}  // namespace edgewright
