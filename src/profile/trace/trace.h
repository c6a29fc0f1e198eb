#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "profile/operator_cost.h"

namespace edgewright {

// Something that took time on a track (a thread, a stream, a device).
struct TraceSlice {
  std::string name;
  // "operator", "kernel", "copy", ...; "run" and "range" hold the work of others, "synchronise"
  // waits for it.
  std::string category;
  uint32_t track = 0;  // index into Trace::tracks
  double start_us = 0, duration_us = 0;
  std::map<std::string, double> numbers;  // names carry their unit: "flops", "bytes"
  std::map<std::string, std::string> words;
};

struct TraceCounter {
  std::string name, unit;                         // "GB/s", "bytes"
  std::vector<std::pair<double, double>> points;  // time in us, value
};

// One operator of the traced program, all its calls together.
struct TracedOperator {
  std::string name, op, implementation;
  int64_t calls = 0;
  double total_us = 0;
  std::vector<CountedOperand> inputs, outputs;  // where the trace has them
};

// What any profiler recorded, in one form.
struct Trace {
  std::string source;  // "onnxruntime", "openvino", "tflite", "chrome", "perfetto", "nsight"
  std::vector<std::string> tracks;
  std::vector<TraceSlice> slices;
  std::vector<TraceCounter> counters;
  std::vector<TracedOperator> operators;
  double stated_total_us = 0;  // what the file itself gives as the sum or the wall time; 0: nothing
  int64_t runs = 1;

  uint32_t track(std::string_view name);
};

// Formats that importing knows, in the order in which a file is asked whether it is one.
struct TraceFormat {
  std::string_view name;
  bool (*recognise)(std::string_view head);
  Result<Trace> (*parse)(std::string_view text);
};
std::span<const TraceFormat> trace_formats();

// kBadInput where no format recognises it. SQLite files are opened by path (trace/nsight.h).
Result<Trace> import_trace(std::string_view bytes, std::string_view file);

// How busy the tracks are; waiting is not work.
struct TraceFigures {
  double span_us = 0;  // from the first start of work to its last end
  double busy_us = 0;  // at least one track works
  double idle_us = 0;  // none does
  double longest_gap_us = 0;
  // Tracks busy at one moment; of a processor that runs kernels: kernels, without copies.
  double largest_concurrency = 0;
  double average_concurrency = 0;  // while any is
  int64_t synchronisations = 0;
  double synchronise_us = 0;
  double copied_bytes = 0, copy_us = 0;
};
TraceFigures trace_figures(const Trace& trace);

// Whether slices of each track lie beside or inside one another.
bool is_nested(const Trace& trace);

// The work summed by name, where the format has no list of its own. What slices contain counts for
// the inner ones only.
void sum_operators(Trace& trace);

}  // namespace edgewright
