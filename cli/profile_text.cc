#include "profile_text.h"

#include <algorithm>
#include <numeric>

#include "command.h"

namespace edgewright::cli {
namespace {

std::string time_text(double time_us) {
  return time_us >= 1e5 ? fmt::format("{:.1f} ms", time_us / 1e3)
                        : fmt::format("{:.1f} us", time_us);
}

std::string operators_text(const ProfileReport& report, size_t top) {
  std::vector<size_t> order(report.operators.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](size_t i) { return report.operators[i].time_us; });
  std::vector<std::vector<std::string>> rows = {
      {"operator", "type", "time", "share", "MFLOP", "FLOP/B", "GOP/s", "of roof", "bound"}};
  for (const size_t i : order) {
    if (rows.size() > top) break;
    const ProfiledOperator& op = report.operators[i];
    rows.push_back({op.name, op.op, time_text(op.time_us), fmt::format("{:.1f} %", op.share * 100),
                    fmt::format("{:.3g}", static_cast<double>(op.flops) / 1e6),
                    fmt::format("{:.2f}", op.intensity), fmt::format("{:.1f}", op.gop_s),
                    fmt::format("{:.0f} %", op.efficiency * 100), op.bound});
  }
  return table(rows);
}

std::string breakdown_text(const char* title, const std::vector<BreakdownRow>& breakdown) {
  std::vector<std::vector<std::string>> rows = {{title, "time", "share", "operators"}};
  for (const BreakdownRow& row : breakdown) {
    rows.push_back({row.name, time_text(row.time_us), fmt::format("{:.1f} %", row.share * 100),
                    fmt::format("{}", row.count)});
  }
  return table(rows);
}

std::string roofs_text(const ProfileReport& report) {
  std::string text = "roofs       ";
  for (const RoofFigure& roof : report.roofs) {
    text += fmt::format("{} {:.4g} {}; ", roof.name, roof.value, roof.unit);
  }
  return text + fmt::format("ridge {:.2f} FLOP/byte\n", report.ridge);
}

std::string advice_text(const std::vector<AdviceRow>& advice) {
  std::vector<std::vector<std::string>> rows = {
      {"opportunity", "share", "predicted", "speed-up", "achieved", "priority", "why", "how"}};
  for (const AdviceRow& row : advice) {
    rows.push_back(
        {row.opportunity, fmt::format("{:.0f} %", row.share * 100), time_text(row.predicted_us),
         fmt::format("{:.2f}x", row.speedup), row.applied ? time_text(row.achieved_us) : "-",
         fmt::format("{:.2f}", row.priority), row.why, row.command.empty() ? "-" : row.command});
  }
  return table(rows);
}

std::string code_text(const ProfileReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"hottest loop of", "instructions", "vectors", "arithmetic", "width", "parallelism"}};
  for (const ProfiledOperator& op : report.operators) {
    if (op.loop_instructions == 0) continue;
    rows.push_back({op.name, fmt::format("{}", op.loop_instructions),
                    fmt::format("{:.0f} %", op.vector_share * 100),
                    fmt::format("{:.0f} %", op.arithmetic_share * 100),
                    fmt::format("{} bits", op.vector_bits),
                    fmt::format("{:.1f}", op.instruction_parallelism)});
  }
  return rows.size() > 1 ? "\n" + table(rows) : "";
}

std::string experiments_text(const ProfileReport& report) {
  std::string text = fmt::format("{:.0f} % of the verdicts on operators over 1 % hold\n",
                                 report.confirmed_share * 100);
  for (const ProfiledOperator& op : report.operators) {
    if (op.experiment.empty()) continue;
    text += fmt::format("  {} {} ({}): {}\n", op.confirmed ? "holds   " : "is wrong", op.name,
                        op.bound, op.experiment);
  }
  return text;
}

std::string memory_text(const ProfileReport& report) {
  std::string text =
      fmt::format("memory      peak {}B at {}", with_prefix(static_cast<double>(report.peak_bytes)),
                  report.peak_step);
  constexpr size_t kShown = 3;
  for (size_t i = 0; i < std::min(kShown, report.peak_holders.size()); ++i) {
    const MemoryHolder& holder = report.peak_holders[i];
    text += fmt::format("{}{} {}B", i == 0 ? ", held by " : ", ", holder.value,
                        with_prefix(static_cast<double>(holder.size_bytes)));
  }
  if (report.peak_holders.size() > kShown) {
    text += fmt::format(" and {} more", report.peak_holders.size() - kShown);
  }
  return text +
         fmt::format("; weights {}B\n", with_prefix(static_cast<double>(report.parameter_bytes)));
}

std::string batches_text(const ProfileReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"batch", "latency", "per sample", "efficiency", "memory", "padding", "cost", ""}};
  for (const BatchRow& row : report.batches) {
    rows.push_back({fmt::format("{}", row.batch), time_text(row.latency_us),
                    time_text(row.latency_us / static_cast<double>(row.batch)),
                    fmt::format("{:.2f}", row.efficiency),
                    with_prefix(static_cast<double>(row.memory_bytes)) + "B",
                    fmt::format("{:.1f} %", row.padding * 100), fmt::format("{:.1f}", row.cost),
                    row.measured ? "measured" : "modelled"});
  }
  return table(rows) +
         fmt::format("best batch  {} (memory of its values; {}B of weights are shared)\n",
                     report.best_batch, with_prefix(static_cast<double>(report.parameter_bytes)));
}

}  // namespace

std::string profile_text(const ProfileReport& report, size_t top) {
  const char* source = report.is_modelled ? "modelled" : "measured";
  std::string text = fmt::format("{}\n", report.verdict);
  text += fmt::format("time        {} {} ({} threads, {})\n", time_text(report.wall_us), source,
                      report.threads, report.device);
  if (!report.is_modelled) {
    text += fmt::format(
        "accounted   operators {}, overhead {}, unattributed {} ({:+.1f} %); profiling costs "
        "{:+.1f} "
        "%\n",
        time_text(report.operators_us), time_text(report.overhead_us),
        time_text(report.unattributed_us), report.unattributed_us / report.wall_us * 100,
        (report.profiled_wall_us / report.wall_us - 1) * 100);
    if (report.disturbed_runs > 0) {
      text += fmt::format("left out    {} of {} runs: the machine was slower around them\n",
                          report.disturbed_runs, report.disturbed_runs + report.runs);
    }
    text += fmt::format("predicted   {} for the operators", time_text(report.predicted_us));
    if (report.machine_pace != 1) {
      text += fmt::format(" (layers take {:.2f} times as long as when they were probed)",
                          report.machine_pace);
    }
    text += '\n';
    text += memory_text(report);
  }
  if (!report.counters.empty()) text += fmt::format("counters    {}\n", report.counters);
  text += fmt::format("work        {}MAC, {}FLOP\n",
                      with_prefix(static_cast<double>(report.multiply_adds)),
                      with_prefix(static_cast<double>(report.flops)));
  text += roofs_text(report) + "\n" + operators_text(report, top) + "\n" +
          breakdown_text("kind", report.by_kind);
  if (report.by_role.size() > 1) text += "\n" + breakdown_text("role", report.by_role);
  if (!report.by_part.empty()) text += "\n" + breakdown_text("part", report.by_part);
  if (!report.advice.empty()) text += "\n" + advice_text(report.advice);
  text += code_text(report);
  if (report.confirmed_share > 0) text += "\n" + experiments_text(report);
  if (!report.batches.empty()) text += "\n" + batches_text(report);
  return text + warnings_text(report.warnings);
}

std::string import_text(const ImportReport& report, size_t top) {
  std::string text = fmt::format("{} profile: {} operators, {} runs, {} in total", report.source,
                                 report.operators.size(), report.runs, time_text(report.total_us));
  if (report.stated_total_us > 0) {
    text += fmt::format(" (the file says {})", time_text(report.stated_total_us));
  }
  text += fmt::format(
      "\nspan {}, busy {}, idle {} (longest gap {}), concurrency {:.2f} (at most "
      "{:.0f})\n",
      time_text(report.span_us), time_text(report.busy_us), time_text(report.idle_us),
      time_text(report.longest_gap_us), report.average_concurrency, report.largest_concurrency);
  if (report.copy_us > 0) {
    text += fmt::format("copies {}B in {} ({:.1f} GB/s)\n", with_prefix(report.copied_bytes),
                        time_text(report.copy_us), report.copied_bytes / report.copy_us / 1e3);
  }
  if (report.synchronisations > 0) {
    text += fmt::format("{} synchronisations take {}\n", report.synchronisations,
                        time_text(report.synchronise_us));
  }
  std::vector<std::vector<std::string>> rows = {
      {"operator", "type", "calls", "time", "share", "GOP/s", "bound"}};
  for (const ImportedOperator& op : report.operators) {
    if (rows.size() > top) break;
    rows.push_back({op.name, op.op, fmt::format("{}", op.calls), time_text(op.total_us),
                    fmt::format("{:.1f} %", op.share * 100),
                    op.gop_s > 0 ? fmt::format("{:.1f}", op.gop_s) : "?",
                    op.bound.empty() ? "?" : op.bound});
  }
  return text + "\n" + table(rows) + "\n" + breakdown_text("type", report.by_op) +
         warnings_text(report.warnings);
}

std::string comparison_text(const ProfileComparison& comparison, size_t top) {
  std::vector<std::vector<std::string>> rows = {
      {"operator", "first", "second", "ratio", "p", "verdict"}};
  const auto add = [&](const ProfileDifference& row) {
    rows.push_back({row.name, time_text(row.first_us), time_text(row.second_us),
                    row.first_us > 0 ? fmt::format("{:.3f}", row.second_us / row.first_us) : "-",
                    row.judged ? fmt::format("{:.2g}", row.p_value) : "-",
                    !row.judged                    ? "too few runs to judge"
                    : !row.significant             ? "no difference shown"
                    : row.second_us < row.first_us ? "quicker"
                                                   : "slower"});
  };
  add(comparison.total);
  for (const ProfileDifference& row : comparison.operators) {
    if (rows.size() > top) break;
    add(row);
  }
  return table(rows) +
         fmt::format("only in the first: {} operators; only in the second: {}\n",
                     comparison.only_in_first.size(), comparison.only_in_second.size()) +
         warnings_text(comparison.warnings);
}

}  // namespace edgewright::cli
