#include "profile/analysis.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "profile/cache_model.h"
#include "profile/cost_model.h"

namespace edgewright {
namespace {

// Half of the time is what makes a limit the limit.
constexpr double kBoundShare = 0.5;

std::vector<int64_t> capacities_of(const Roofs& roofs) {
  std::vector<int64_t> capacities;
  for (size_t i = 0; i + 1 < roofs.memory.size(); ++i) {
    capacities.push_back(roofs.memory[i].size_bytes);
  }
  return capacities;
}

int64_t largest_private_bytes(const Roofs& roofs) {
  int64_t largest = 0;
  for (const MemoryRoof& level : roofs.memory) {
    if (!level.is_shared) largest = std::max(largest, level.size_bytes);
  }
  return largest > 0 || roofs.memory.empty() ? largest : roofs.memory.front().size_bytes;
}

// The time of memory beyond the nearest level, where a kernel waits for it.
double far_memory_us(const RoofTimes& times) {
  double longest = 0;
  for (size_t i = times.memory_us.size() > 1 ? 1 : 0; i < times.memory_us.size(); ++i) {
    longest = std::max(longest, times.memory_us[i]);
  }
  return longest;
}

// Splits a time into launch, synchronisation, memory and compute, in that order of certainty.
void split_time(const RoofTimes& times, ProfiledOperator& row) {
  double rest = row.time_us;
  const auto take = [&](double part) {
    const double taken = std::min(rest, part);
    rest -= taken;
    return taken;
  };
  row.launch_us = take(times.launch_us);
  row.sync_us = take(times.sync_us);
  const double memory = far_memory_us(times);
  // Out-of-order cores overlap the two: only what memory takes beyond the arithmetic is waiting.
  row.memory_us =
      take(memory >= kBoundShare * row.time_us ? memory : std::max(0.0, memory - times.compute_us));
  row.compute_us = rest;
  row.execute_us = std::min(rest, times.compute_us);
  row.stall_us = rest - row.execute_us;
}

ProfiledOperator row_of(const Operation& operation, const Work& work, const Roofs& roofs) {
  ProfiledOperator row;
  row.name = operation.name;
  row.op = full_operator_name(operation.domain, operation.op);
  row.kind = work_kind_name(work.kind);
  row.multiply_adds = work.multiply_adds;
  row.flops = work.flops;
  row.bytes_read = work.bytes_read;
  row.weight_bytes = work.weight_bytes;
  row.weight_count = work.weight_count;
  row.bytes_written = work.bytes_written;
  row.complete = work.complete;
  const AccessPattern access = access_pattern(operation, work, largest_private_bytes(roofs));
  row.access = access.name;
  row.locality = access.locality;
  return row;
}

std::string step_name(const Plan& plan, const PlanStep& step) {
  if (!step.name.empty()) return step.name;
  for (const int32_t output : step.outputs) {
    if (output >= 0) return plan.values[static_cast<size_t>(output)].name;
  }
  return step.op;
}

// ---- Memory ----

struct Lifetime {
  size_t first = 0, last = 0;
  bool used = false;
};

std::vector<Lifetime> lifetimes(const Plan& plan) {
  std::vector<Lifetime> result(plan.values.size());
  const auto touch = [&](int32_t value, size_t step) {
    if (value < 0) return;
    Lifetime& life = result[static_cast<size_t>(value)];
    if (!life.used) life.first = step;
    life.used = true;
    life.last = step;
  };
  for (const int32_t input : plan.inputs) touch(input, 0);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (const int32_t input : plan.steps[i].inputs) touch(input, i);
    for (const int32_t output : plan.steps[i].outputs) touch(output, i);
  }
  for (const int32_t output : plan.outputs) {
    touch(output, plan.steps.empty() ? 0 : plan.steps.size() - 1);
  }
  return result;
}

int64_t scratch_bytes(const PlanStep& step) {
  return step.kernel == nullptr ? 0 : static_cast<int64_t>(step.kernel->scratch_size_bytes());
}

bool counts(const PlanValue& value) {
  return value.storage != Storage::kConstant && value.storage != Storage::kNone;
}

// How much less a kernel computes than the operation is counted with: minimal filtering (Winograd)
// of F(4 x 4, 3 x 3) takes 36 multiplications for 144, of F(2 x 2, 3 x 3) 16 for 36 (Lavin and
// Gray, Fast Algorithms for Convolutional Neural Networks, 2016).
double arithmetic_saved(std::string_view implementation) {
  if (implementation.starts_with("conv2d_winograd4")) return 4;
  if (implementation.starts_with("conv2d_winograd2")) return 2.25;
  return 1;
}

}  // namespace

double weight_share(const ProfiledOperator& op) {
  const auto bytes = static_cast<double>(op.bytes_read + op.bytes_written);
  return bytes > 0 ? static_cast<double>(op.weight_bytes) / bytes : 0;
}

bool is_of_weights(const ProfiledOperator& op) { return weight_share(op) > 0.5; }

std::string bound_of(const RoofTimes& times, const Roofs& roofs, double time_us) {
  if (time_us <= 0) return "overhead";
  if (times.launch_us + times.sync_us >= kBoundShare * time_us) return "overhead";
  size_t slowest = 0;
  double longest = 0;
  const size_t first = times.memory_us.size() > 1 ? 1 : 0;
  for (size_t i = first; i < times.memory_us.size(); ++i) {
    if (times.memory_us[i] <= longest) continue;
    longest = times.memory_us[i];
    slowest = i;
  }
  const bool waits = longest >= kBoundShare * time_us && longest >= times.usual_compute_us;
  return waits ? roofs.memory[slowest].name : "compute";
}

void place_on_roofline(const Roofline& roofline, const Work& work,
                       const std::vector<LevelTraffic>& traffic, ProfiledOperator& row) {
  const RoofTimes times = roof_times(roofline, work, traffic);
  const double peak =
      roofline.peak_gop_s(work.compute_dtype) * arithmetic_saved(row.implementation);
  const auto& used = traffic.empty() ? compulsory_traffic(*roofline.roofs, work) : traffic;
  for (size_t i = 0; i < used.size(); ++i) {
    row.levels.push_back({used[i].level, used[i].bytes, times.memory_us[i]});
  }
  row.intensity = times.intensity;
  row.attainable_gop_s = std::min(peak, times.memory_gop_s);
  row.gop_s = row.time_us > 0 ? static_cast<double>(work.flops) / row.time_us / 1e3 : 0;
  row.efficiency = row.attainable_gop_s > 0 ? row.gop_s / row.attainable_gop_s : 0;
  row.bound = bound_of(times, *roofline.roofs, row.time_us);
  split_time(times, row);
}

std::vector<ProfiledOperator> analyse_steps(const Plan& plan, const Roofline& roofline,
                                            std::span<const double> step_us) {
  const auto traffic = cache_traffic(plan, capacities_of(*roofline.roofs));
  std::vector<ProfiledOperator> rows;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    const Operation operation = operation_of(plan, step);
    const Work work = work_of(operation);
    ProfiledOperator row = row_of(operation, work, *roofline.roofs);
    row.name = step_name(plan, step);
    if (step.implementation != nullptr) {
      row.implementation = step.implementation->name;
    } else {
      row.implementation = step.kind == StepKind::kReference ? "reference" : "control-flow";
    }
    row.time_us = step_us.empty() ? predict_us(roofline, work) : step_us[i];
    row.reuse_distance_bytes = traffic[i].reuse_distance_bytes;
    std::vector<LevelTraffic> levels;
    levels.reserve(roofline.roofs->memory.size());
    for (size_t level = 0; level < roofline.roofs->memory.size(); ++level) {
      levels.push_back({roofline.roofs->memory[level].name, traffic[i].level_bytes[level]});
    }
    place_on_roofline(roofline, work, levels, row);
    rows.push_back(std::move(row));
  }
  add_shares(rows);
  return rows;
}

void add_shares(std::vector<ProfiledOperator>& rows) {
  double total = 0;
  for (const auto& row : rows) total += row.time_us;
  for (auto& row : rows) row.share = total > 0 ? row.time_us / total : 0;
}

std::vector<ProfiledOperator> analyse_nodes(const Graph& graph, const Roofline& roofline) {
  std::vector<ProfiledOperator> rows;
  for (const Node& node : graph.nodes()) {
    const Operation operation = operation_of(node);
    const Work work = work_of(operation);
    ProfiledOperator row = row_of(operation, work, *roofline.roofs);
    if (row.name.empty() && node.output(0) != nullptr) row.name = node.output(0)->name;
    row.time_us = predict_us(roofline, work);
    place_on_roofline(roofline, work, {}, row);
    rows.push_back(std::move(row));
  }
  add_shares(rows);
  double start = 0;
  for (auto& row : rows) {
    row.start_us = start;
    start += row.time_us;
  }
  return rows;
}

std::vector<RoofFigure> roof_figures(const Roofline& roofline) {
  std::vector<RoofFigure> figures;
  const Roofs& roofs = *roofline.roofs;
  figures.reserve(roofs.memory.size() + roofs.compute.size());
  for (size_t i = 0; i < roofs.memory.size(); ++i) {
    figures.push_back({roofs.memory[i].name, "GB/s", roofs.memory[i].size_bytes,
                       roofline.bandwidth_gb_s(i, false), roofs.is_measured});
  }
  for (const ComputeRoof& roof : roofs.compute) {
    const double all =
        roof.all_gop_s.value > 0 ? roof.all_gop_s.value : roof.core_gop_s.value * roofs.cores;
    figures.push_back({fmt::format("{} ({})", roof.type, roof.unit), "GOP/s", 0,
                       std::min(all, roof.core_gop_s.value * roofline.threads), roofs.is_measured});
  }
  return figures;
}

std::vector<BreakdownRow> breakdown(std::span<const ProfiledOperator> operators,
                                    std::string ProfiledOperator::* key) {
  std::map<std::string, BreakdownRow> rows;
  for (const ProfiledOperator& op : operators) {
    BreakdownRow& row = rows[op.*key];
    row.name = op.*key;
    row.time_us += op.time_us;
    row.share += op.share;
    ++row.count;
  }
  std::vector<BreakdownRow> sorted;
  sorted.reserve(rows.size());
  for (auto& [name, row] : rows) sorted.push_back(std::move(row));
  std::ranges::stable_sort(sorted, std::greater<>(), &BreakdownRow::time_us);
  return sorted;
}

MemoryPeak memory_peak(const Plan& plan) {
  const auto lives = lifetimes(plan);
  std::vector<int64_t> bytes(std::max<size_t>(1, plan.steps.size()), 0);
  for (size_t i = 0; i < plan.steps.size(); ++i) bytes[i] += scratch_bytes(plan.steps[i]);
  for (size_t v = 0; v < plan.values.size(); ++v) {
    if (!lives[v].used || !counts(plan.values[v])) continue;
    for (size_t i = lives[v].first; i <= lives[v].last; ++i) {
      bytes[i] += static_cast<int64_t>(plan.values[v].size_bytes);
    }
  }
  const auto highest = std::ranges::max_element(bytes);
  MemoryPeak peak;
  peak.bytes = *highest;
  if (plan.steps.empty()) return peak;
  const auto at = static_cast<size_t>(highest - bytes.begin());
  peak.step = step_name(plan, plan.steps[at]);
  for (size_t v = 0; v < plan.values.size(); ++v) {
    const Lifetime& life = lives[v];
    if (!life.used || !counts(plan.values[v]) || at < life.first || at > life.last) continue;
    peak.holders.push_back({plan.values[v].name, step_name(plan, plan.steps[life.first]),
                            static_cast<int64_t>(plan.values[v].size_bytes)});
  }
  if (const int64_t scratch = scratch_bytes(plan.steps[at]); scratch > 0) {
    peak.holders.push_back({"working memory of the kernel", peak.step, scratch});
  }
  std::ranges::stable_sort(peak.holders, std::greater<>(), &MemoryHolder::size_bytes);
  return peak;
}

double reached_share(std::span<const ProfiledOperator> operators) {
  double attainable_us = 0, time_us = 0;
  for (const ProfiledOperator& op : operators) {
    if (op.attainable_gop_s <= 0 || op.flops <= 0) continue;
    attainable_us += static_cast<double>(op.flops) / op.attainable_gop_s / 1e3;
    time_us += op.time_us;
  }
  return time_us > 0 ? attainable_us / time_us : 0;
}

std::string verdict_of(const ProfileReport& report) {
  const auto bounds = breakdown(report.operators, &ProfiledOperator::bound);
  if (bounds.empty()) return "there is nothing to run";
  const BreakdownRow& main = bounds.front();
  double flops = 0, attainable_us = 0, time_us = 0;
  for (const ProfiledOperator& op : report.operators) {
    if (op.bound != main.name) continue;
    flops += static_cast<double>(op.flops);
    time_us += op.time_us;
    if (op.attainable_gop_s > 0) {
      attainable_us += static_cast<double>(op.flops) / op.attainable_gop_s / 1e3;
    }
  }
  const std::string what = main.name == "compute"    ? "arithmetic and the core's own work"
                           : main.name == "overhead" ? "launching and synchronising small operators"
                                                     : "waiting for " + main.name;
  return fmt::format(
      "{:.0f} % of the time goes into {}; those operators reach {:.0f} % of their "
      "roofline ({:.1f} GOP/s)",
      main.share * 100, what, time_us > 0 ? attainable_us / time_us * 100 : 0,
      time_us > 0 ? flops / time_us / 1e3 : 0);
}

}  // namespace edgewright
