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

// Moments at which the number of busy tracks changes; `concurrent` counts what runs side by side.
struct Edge {
  double time_us;
  int busy, concurrent;
};

// Runs and ranges hold the work of others.
bool is_container(const TraceSlice& slice) {
  return slice.category == "run" || slice.category == "range";
}
// Waiting for the work of others is none.
bool is_work(const TraceSlice& slice) {
  return !is_container(slice) && slice.category != "synchronise";
}

double end_us(const TraceSlice& slice) { return slice.start_us + slice.duration_us; }

// By their start, the outer of two that start together first.
std::vector<const TraceSlice*> in_order(std::span<const TraceSlice> slices) {
  std::vector<const TraceSlice*> order;
  order.reserve(slices.size());
  for (const TraceSlice& slice : slices) order.push_back(&slice);
  std::ranges::stable_sort(order, [](const TraceSlice* a, const TraceSlice* b) {
    return a->start_us < b->start_us ||
           (a->start_us == b->start_us && a->duration_us > b->duration_us);
  });
  return order;
}

// Work that no other work of its track contains, so that nothing counts twice.
std::vector<const TraceSlice*> outermost(const Trace& trace) {
  std::vector<const TraceSlice*> order = in_order(trace.slices);
  std::vector<double> ends(trace.tracks.size() + 1, -std::numeric_limits<double>::infinity());
  std::erase_if(order, [&](const TraceSlice* slice) {
    if (!is_work(*slice)) return true;
    double& end = ends[std::min<size_t>(slice->track, trace.tracks.size())];
    if (slice->start_us < end - kRoundingUs) return true;
    end = end_us(*slice);
    return false;
  });
  return order;
}

// The slices of every track that have not ended, for slices in_order().
class OpenSlices {
 public:
  // Slices on tracks beyond these share one.
  explicit OpenSlices(size_t tracks) : open_(tracks + 1) {}

  // Opens a slice; the innermost that is open when it starts, null where none is.
  const TraceSlice* enter(const TraceSlice& slice) {
    auto& open = open_[std::min<size_t>(slice.track, open_.size() - 1)];
    while (!open.empty() && end_us(*open.back()) <= slice.start_us + kRoundingUs) open.pop_back();
    const TraceSlice* outer = open.empty() ? nullptr : open.back();
    open.push_back(&slice);
    return outer;
  }

 private:
  std::vector<std::vector<const TraceSlice*>> open_;
};

// What each slice takes beside the work inside of it on its track: these add up to the busy time.
std::vector<double> own_times_us(const Trace& trace) {
  std::vector<double> own(trace.slices.size());
  const auto own_of = [&](const TraceSlice* slice) -> double& {
    return own[static_cast<size_t>(slice - trace.slices.data())];
  };
  OpenSlices open(trace.tracks.size());
  for (const TraceSlice* slice : in_order(trace.slices)) {
    if (!is_work(*slice)) continue;
    own_of(slice) = slice->duration_us;
    if (const TraceSlice* outer = open.enter(*slice)) {
      own_of(outer) -= std::min(end_us(*slice), end_us(*outer)) - slice->start_us;
    }
  }
  return own;
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
  const bool has_kernels = std::ranges::any_of(
      trace.slices, [](const TraceSlice& slice) { return slice.category == "kernel"; });
  std::vector<Edge> edges;
  for (const TraceSlice* slice : outermost(trace)) {
    const int counts = !has_kernels || slice->category == "kernel" ? 1 : 0;
    edges.push_back({slice->start_us, 1, counts});
    edges.push_back({end_us(*slice), -1, -counts});
  }
  if (edges.empty()) return figures;
  std::ranges::stable_sort(edges, [](const Edge& a, const Edge& b) {
    return a.time_us < b.time_us || (a.time_us == b.time_us && a.busy > b.busy);
  });
  figures.span_us = edges.back().time_us - edges.front().time_us;
  double weighted_us = 0, concurrent_us = 0;
  int busy = 0, concurrent = 0;
  for (size_t i = 0; i + 1 < edges.size(); ++i) {
    busy += edges[i].busy;
    concurrent += edges[i].concurrent;
    const double length_us = edges[i + 1].time_us - edges[i].time_us;
    // Neighbours that touch are both counted at their moment, which is none.
    if (length_us <= 0) continue;
    figures.largest_concurrency = std::max<double>(figures.largest_concurrency, concurrent);
    weighted_us += concurrent * length_us;
    if (concurrent > 0) concurrent_us += length_us;
    if (busy > 0) {
      figures.busy_us += length_us;
    } else {
      figures.idle_us += length_us;
      figures.longest_gap_us = std::max(figures.longest_gap_us, length_us);
    }
  }
  figures.average_concurrency = concurrent_us > 0 ? weighted_us / concurrent_us : 0;
  return figures;
}

bool is_nested(const Trace& trace) {
  OpenSlices open(trace.tracks.size());
  return std::ranges::all_of(in_order(trace.slices), [&](const TraceSlice* slice) {
    if (slice->track >= trace.tracks.size()) return false;
    const TraceSlice* outer = open.enter(*slice);
    return outer == nullptr || end_us(*slice) <= end_us(*outer) + kRoundingUs;
  });
}

void sum_operators(Trace& trace) {
  std::map<std::string, size_t> index;
  const std::vector<double> own_us = own_times_us(trace);
  for (size_t i = 0; i < trace.slices.size(); ++i) {
    const TraceSlice& slice = trace.slices[i];
    if (!is_work(slice)) continue;
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
    op.total_us += own_us[i];
  }
}

}  // namespace edgewright
