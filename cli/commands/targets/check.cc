#include "command.h"
#include "edgewright/deploy.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> shapes;
  TargetOptions target;
};

// The nodes that do not run as one operation of the target's own, one line a kind.
std::string fallback_table(const TargetReport& report) {
  struct Group {
    int64_t nodes = 0;
    double time_us = 0;
    const NodePlacement* example = nullptr;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (const NodePlacement& node : report.nodes) {
    if (node.placement == "native" || node.placement == "fuse") continue;
    Group& group = groups[{node.placement, node.op}];
    group.nodes += 1;
    group.time_us += node.time_us;
    group.example = &node;
  }
  std::string out;
  for (const auto& [key, group] : groups) {
    out += fmt::format("  {:<10} {:<22} {:>4} nodes {:>10.1f} us   {}\n", key.first, key.second,
                       group.nodes, group.time_us, group.example->reason);
    if (!group.example->advice.empty()) {
      out += fmt::format("  {:<10} to avoid it: {}\n", "", group.example->advice);
    }
  }
  return out;
}

std::string fixed_text(const FixedTargetModel& fixed) {
  std::string out = fmt::format("wrote {}, which computes the same within {:.2g}:\n", fixed.path,
                                fixed.relative_l2);
  for (const std::string& change : fixed.changes) out += fmt::format("  {}\n", change);
  out += "there as it is:";
  for (const auto& [placement, nodes] : fixed.counts) {
    out += fmt::format(" {} {}", nodes, placement);
  }
  return out + fmt::format(", {} values cross, predicted {:.1f} us\n", fixed.transitions,
                           fixed.predicted_us);
}

std::string summary(const TargetReport& report) {
  std::string out = fmt::format("{} {} on {}: {}\n", report.framework, report.version,
                                report.hardware, report.description);
  for (const auto& [placement, nodes] : report.counts) {
    out += fmt::format("  {:<10} {:>5} nodes\n", placement, nodes);
  }
  if (const std::string table = fallback_table(report); !table.empty()) {
    out += "not native:\n" + table;
  }
  // On a CPU only the caller hands values over; nothing falls back from there.
  const std::string sides =
      report.hardware == "cpu" ? "the caller and the runtime" : report.hardware + " and CPU";
  out += fmt::format(
      "{} values cross between {}, {}B moved\npredicted {:.1f} us (modelled); {:.1f} us if the "
      "target had every operator\n",
      report.transitions, sides, with_prefix(report.bytes_moved), report.predicted_us,
      report.unconstrained_us);
  if (report.fixed) out += fixed_text(*report.fixed);
  for (const std::string& assumption : report.assumptions) out += "assumed: " + assumption + "\n";
  out += warnings_text(report.warnings);
  return out + (report.passed ? "PASSED: every node runs\n"
                              : "FAILED: some nodes run nowhere or need a plugin\n");
}

}  // namespace

Action declare_targets_check(CLI::App& app, CommonOptions&) {
  auto options = std::make_shared<Options>();
  TargetOptions& target = options->target;
  app.add_option("MODEL", options->model, "an ONNX model")->required();
  app.add_option("--target", target.target,
                 fmt::format("NAME@VERSION; names: {}", fmt::join(target_names(), ", ")))
      ->required();
  app.add_option("--hardware", target.hardware, "cpu, gpu, npu, dsp or ane");
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--device", target.device, "whose CPU: a known device or peak=..,bandwidth=..");
  app.add_option("--accelerator", target.accelerator, "peak=..,bandwidth=.. of the hardware");
  app.add_option("--gelu-error", target.gelu_max_error, "largest error of a decomposed GELU");
  app.add_option("--gelu-low", target.gelu_low, "observed range of GELU's input");
  app.add_option("--gelu-high", target.gelu_high, "observed range of GELU's input");
  app.add_option("--data", target.data, "samples that show the range of every GELU's input")
      ->type_name("DATA");
  app.add_flag("--as-is", target.as_is, "do not optimise the model first");
  app.add_option("--fix", target.fix, "write the model with the plan applied, as ONNX")
      ->type_name("OUT.onnx");
  return [options]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(options->target.shapes, parse_shapes(options->shapes));
    EDGEWRIGHT_ASSIGN(const TargetReport report, check_target(options->model, options->target));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
