#include "profile/advice.h"

#include <algorithm>

#include "profile/roofline.h"

namespace edgewright {
namespace {

// Attention is looked at first when it takes more than this share.
constexpr double kAttentionShare = 0.45;
// What is not sped up by at least so much is not worth a line.
constexpr double kSmallestSpeedup = 1.01;

bool is_memory_bound(const ProfiledOperator& op) {
  return op.bound != "compute" && op.bound != "overhead";
}
bool is_product(const ProfiledOperator& op) {
  return op.kind == "matrix" || op.kind == "vector" || op.kind == "convolution";
}
bool streams_weights(const ProfiledOperator& op) {
  return is_memory_bound(op) && op.weight_bytes * 2 > op.bytes_read;
}
// Whether weights are stored in so much more than kBits each that rounding them saves bytes: scales
// are a sixteenth of int8 and an eighth of int4.
template <int kBits>
bool streams_wider(const ProfiledOperator& op, const ProfileReport&) {
  constexpr double kWithScales = kBits + 0.5, kWorthwhile = 1.2;
  const double bits = 8 * static_cast<double>(op.weight_bytes);
  return streams_weights(op) && op.weight_count > 0 &&
         bits > kWorthwhile * kWithScales * static_cast<double>(op.weight_count);
}
bool all(const ProfiledOperator&, const ProfileReport&) { return true; }

double rate(const Roofs& roofs, std::string_view type) {
  const ComputeRoof* roof = find_compute_roof(roofs, type);
  return roof == nullptr || roof->type != type ? 0 : roof->core_gop_s.value;
}

// Weights of so many bits each: what streams them becomes so much quicker.
template <int kBits>
double narrower(const ProfiledOperator& op, const Roofs&, int) {
  const auto bytes = static_cast<double>(op.bytes_read + op.bytes_written);
  const double saved =
      static_cast<double>(op.weight_bytes) - static_cast<double>(op.weight_count) * kBits / 8;
  return bytes / std::max(1.0, bytes - saved);
}
double int8_rate(const ProfiledOperator&, const Roofs& roofs, int) {
  const double wide = rate(roofs, "float32"), narrow = rate(roofs, "int8");
  // Kernels keep a smaller share of a higher peak; half of the ratio is what ours reach.
  return wide > 0 && narrow > wide ? std::clamp(narrow / wide / 2, 1.0, 4.0) : 1;
}
double more_threads(const ProfiledOperator&, const Roofs& roofs, int threads) {
  return std::max(1.0, 0.9 * roofs.cores / threads);
}
double to_the_roof(const ProfiledOperator& op, const Roofs&, int) {
  return op.efficiency > 0 ? std::max(1.0, 0.6 / op.efficiency) : 4;
}
double gone(const ProfiledOperator&, const Roofs&, int) { return 20; }
double half_gone(const ProfiledOperator&, const Roofs&, int) { return 2; }
double weights_once(const ProfiledOperator& op, const Roofs&, int) {
  const auto bytes = static_cast<double>(op.bytes_read + op.bytes_written);
  const double others = bytes - static_cast<double>(op.weight_bytes);
  // Eight samples share one reading of the weights.
  return bytes / std::max(1.0, others + static_cast<double>(op.weight_bytes) / 8);
}

constexpr Opportunity kOpportunities[] = {
    {"threads", "profile MODEL --threads N --apply", 5, 1, 1, all, more_threads,
     "other cores are idle"},
    {"weights in int8", "convert MODEL -o OUT --precision int8", 4, 2, 2, streams_wider<8>,
     narrower<8>, "the time goes into reading weights"},
    {"weights in int4", "convert MODEL -o OUT --precision int4", 3, 3, 3, streams_wider<4>,
     narrower<4>, "the time goes into reading weights"},
    {"int8 arithmetic", "convert MODEL -o OUT --precision int8 --calibrate DATA", 4, 2, 2,
     [](const ProfiledOperator& op, const ProfileReport&) {
       return op.bound == "compute" && is_product(op);
     },
     int8_rate, "the time goes into multiplying, and the processor multiplies bytes quicker"},
    {"batching", "profile MODEL --batches 1,2,4,8", 4, 1, 1,
     [](const ProfiledOperator& op, const ProfileReport&) { return streams_weights(op); },
     weights_once, "samples of a batch share one reading of the weights; latency grows"},
    {"speculative decoding", "generate MODEL --draft DRAFT", 2, 2, 4,
     [](const ProfiledOperator& op, const ProfileReport& report) {
       const bool decodes = std::ranges::any_of(
           report.by_role, [](const BreakdownRow& row) { return row.name == "attention"; });
       return decodes && op.kind == "vector" && is_memory_bound(op);
     },
     half_gone, "several tokens are checked with one reading of the weights"},
    {"attention", "", 3, 2, 3,
     [](const ProfiledOperator& op, const ProfileReport&) { return op.role == "attention"; },
     to_the_roof, "blocked attention, grouped heads or a compressed cache move less"},
    {"fusion", "convert MODEL -o OUT.ewplan", 4, 1, 2,
     [](const ProfiledOperator& op, const ProfileReport&) { return op.kind == "elementwise"; },
     gone, "element-wise work can ride on the operator before it"},
    {"layout", "convert MODEL -o OUT.ewplan", 3, 1, 2,
     [](const ProfiledOperator& op, const ProfileReport&) { return op.kind == "move"; }, half_gone,
     "data is copied into another order"},
    {"kernels", "", 2, 2, 4,
     [](const ProfiledOperator& op, const ProfileReport&) {
       return op.implementation == "reference" || (op.bound == "compute" && op.efficiency < 0.3);
     },
     to_the_roof, "these operators reach under a third of their roofline"},
    {"fewer, larger operators", "", 2, 1, 3,
     [](const ProfiledOperator& op, const ProfileReport&) { return op.bound == "overhead"; },
     half_gone, "launching takes as long as the work"},
};

// What is looked at first gets this much more weight.
double emphasis(std::string_view name, const ProfileReport& report) {
  double attention = 0, memory = 0;
  for (const ProfiledOperator& op : report.operators) {
    attention += op.role == "attention" ? op.share : 0;
    memory += is_memory_bound(op) ? op.share : 0;
  }
  if (attention > kAttentionShare) return name == "attention" ? 2 : 1;
  const bool saves_bytes = name == "weights in int8" || name == "weights in int4" ||
                           name == "batching" || name == "speculative decoding";
  if (memory > 0.5) return saves_bytes ? 2 : 1;
  return name == "int8 arithmetic" || name == "kernels" ? 2 : 1;
}

AdviceRow row_of(const Opportunity& one, const ProfileReport& report, const Roofs& roofs) {
  AdviceRow row;
  row.opportunity = one.name;
  row.why = one.why;
  row.command = one.command;
  double before = 0, after = 0;
  for (const ProfiledOperator& op : report.operators) {
    if (!one.touches(op, report)) continue;
    before += op.time_us;
    after += op.time_us / std::max(1.0, one.potential(op, roofs, report.threads));
  }
  row.share = report.wall_us > 0 ? std::min(1.0, before / report.wall_us) : 0;
  const double factor = after > 0 ? before / after : 1;
  row.speedup = amdahl(row.share, factor);
  row.predicted_us = report.wall_us / row.speedup;
  const double potential = 1 - 1 / factor;
  row.priority =
      row.share * potential * one.ease / (one.risk * one.complexity) * emphasis(one.name, report);
  return row;
}

}  // namespace

std::span<const Opportunity> opportunities() { return kOpportunities; }

double amdahl(double share, double factor) { return 1 / (1 - share + share / factor); }

std::vector<AdviceRow> advise(const ProfileReport& report, const Roofs& roofs) {
  std::vector<AdviceRow> rows;
  for (const Opportunity& one : kOpportunities) {
    AdviceRow row = row_of(one, report, roofs);
    if (row.speedup >= kSmallestSpeedup) rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, std::greater<>(), &AdviceRow::priority);
  return rows;
}

}  // namespace edgewright
