#include "edgewright/profile.h"

#include <algorithm>
#include <numeric>

#include "command.h"
#include "edgewright/tensor.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> inputs, shapes;
  bool no_tune = false;
  size_t top = 20;
  ProfileOptions profile;
};

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

std::string summary(const ProfileReport& report, size_t top) {
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
    text += fmt::format("memory      peak {}B at {}\n",
                        with_prefix(static_cast<double>(report.peak_bytes)), report.peak_step);
  }
  text += fmt::format("work        {}MAC, {}FLOP\n",
                      with_prefix(static_cast<double>(report.multiply_adds)),
                      with_prefix(static_cast<double>(report.flops)));
  text += roofs_text(report) + "\n" + operators_text(report, top) + "\n" +
          breakdown_text("kind", report.by_kind);
  if (report.by_role.size() > 1) text += "\n" + breakdown_text("role", report.by_role);
  return text + warnings_text(report.warnings);
}

}  // namespace

Action declare_profile(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "an ONNX model or a plan")->required();
  app.add_option("--input", options->inputs, "an input's value")->type_name("NAME=FILE.npy");
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--seconds", options->profile.seconds, "time for the measured runs")
      ->check(CLI::Range(0.01, 600.0));
  app.add_option("--device", options->profile.device,
                 "model the times on another device's roofline: a name, a file, or "
                 "peak=OPS_PER_S,bandwidth=BYTES_PER_S");
  app.add_option("--top", options->top, "operators to list");
  app.add_flag("--no-tune", options->no_tune, "take the first kernel that fits");
  return [options, &common]() -> Result<Outcome> {
    ProfileOptions& profile_options = options->profile;
    EDGEWRIGHT_ASSIGN(const auto files, parse_pairs(options->inputs, "--input"));
    for (const auto& [name, file] : files) {
      EDGEWRIGHT_ASSIGN(profile_options.inputs[name], load_npy(file));
    }
    EDGEWRIGHT_ASSIGN(profile_options.session.shapes, parse_shapes(options->shapes));
    profile_options.session.threads = common.threads;
    profile_options.session.tune = !options->no_tune;
    profile_options.session.timing_cache = timing_cache_path();
    profile_options.seed = common.seed;
    profile_options.roofs_cache = roofs_cache_path();
    profile_options.progress = progress_bar();
    EDGEWRIGHT_ASSIGN(const ProfileReport report, profile(options->model, profile_options));
    return Outcome{summary(report, options->top), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
