#include "api/target_plan.h"

#include <algorithm>

#include "api/open_backend.h"
#include "device/device.h"
#include "formats/onnx/type_inference.h"
#include "graph/node_facts.h"
#include "profile/cost_model.h"
#include "targets/check.h"

namespace edgewright {
namespace {

// A usual machine of each kind, where the user names none: operations and bytes per second. The
// ratios matter for placement, not the figures; every one can be given instead.
struct UsualHardware {
  std::string_view name, roofs, what;
};
constexpr UsualHardware kUsualHardware[] = {
    {"cpu", "peak=5e10,bandwidth=1e10", "a mobile CPU of 50 GFLOP/s and 10 GB/s"},
    {"gpu", "peak=1e12,bandwidth=3e10", "an embedded GPU of 1 TFLOP/s and 30 GB/s"},
    {"dsp", "peak=1e12,bandwidth=2e10", "a DSP of 1 TOP/s and 20 GB/s"},
    {"npu", "peak=4e12,bandwidth=2e10", "an NPU of 4 TOP/s and 20 GB/s"},
    {"ane", "peak=1e13,bandwidth=5e10", "a neural engine of 10 TOP/s and 50 GB/s"},
    // Execution providers of ONNX Runtime, by what they usually run on.
    {"cuda", "peak=1e12,bandwidth=3e10", "an embedded GPU of 1 TFLOP/s and 30 GB/s"},
    {"xnnpack", "peak=5e10,bandwidth=1e10", "a mobile CPU of 50 GFLOP/s and 10 GB/s"},
    {"nnapi", "peak=4e12,bandwidth=2e10", "an NPU of 4 TOP/s and 20 GB/s"},
    {"coreml", "peak=1e13,bandwidth=5e10", "a neural engine of 10 TOP/s and 50 GB/s"},
    {"qnn", "peak=4e12,bandwidth=2e10", "an NPU of 4 TOP/s and 20 GB/s"},
};
constexpr double kCopyBytesPerUs = 5e3;  // a copy between two areas of one DRAM
constexpr double kCrossingUs = 50;       // waking the other side, and alignment
constexpr double kCallUs = 5;            // leaving a framework's graph on the CPU itself
constexpr double kLeavingUs = 0.1;       // of one operation, beside the values that cross
constexpr double kLaunchUs = 5;          // of one operation on an accelerator
// Attention and its like came with opset 23.
constexpr int kOpsetOfParts = 22;

std::string_view usual(std::string_view hardware) {
  const auto* found = std::ranges::find(kUsualHardware, hardware, &UsualHardware::name);
  return found == std::end(kUsualHardware) ? kUsualHardware[0].roofs : found->roofs;
}

// In the memory of the CPU, and started by it.
bool is_on_the_cpu(std::string_view hardware) { return hardware == "cpu" || hardware == "xnnpack"; }

Result<Roofs> roofs_from(const std::string& text) {
  if (text.find('=') != std::string::npos) return parse_roofs(text);
  EDGEWRIGHT_ASSIGN(const Device device, load_device(text));
  return roofs_of(device);
}

// One line for every form in which GELU is opened, and how far it is off over which range.
void add_gelu_forms(const Graph& graph, const TargetReport& plan, const GeluLimits& limits,
                    NodeOpener& opener, std::vector<std::string>& assumptions) {
  struct Use {
    GeluLimits::Range range;
    int64_t nodes = 0;
  };
  std::map<GeluForm, Use> uses;
  size_t index = 0;
  for (const Node& node : graph.nodes()) {
    const NodePlacement& placed = plan.nodes[index++];
    if (!node.is("Gelu") || placed.placement != "decompose" || !opener.opened(node).possible) {
      continue;
    }
    const GeluLimits::Range& range = limits.range_of(node);
    Use& use = uses.try_emplace(opener.gelu_form(node), Use{range, 0}).first->second;
    use = {{std::min(use.range.low, range.low), std::max(use.range.high, range.high)},
           use.nodes + 1};
  }
  for (const auto& [form, use] : uses) {
    assumptions.push_back(fmt::format(
        "{} GELUs are decomposed in the {} form: error {:.2g} over inputs from {:.4g} to {:.4g} "
        "({}), {:.2g} allowed",
        use.nodes, gelu_form_name(form), gelu_error(form, use.range.low, use.range.high),
        use.range.low, use.range.high, limits.observed.empty() ? "assumed" : "observed",
        limits.max_error));
  }
}

}  // namespace

std::set<std::string> operators_of(const Graph& graph) {
  std::set<std::string> operators;
  for_each_node(
      graph, [&](const Node& node) { operators.insert(full_operator_name(node.domain, node.op)); });
  return operators;
}

Result<TargetPlanner> TargetPlanner::create(const TargetOptions& options) {
  EDGEWRIGHT_ASSIGN(Target target, find_target(options.target, options.hardware));
  TargetPlanner planner(std::move(target), options);
  planner.cpu_text_ = options.device.empty() ? std::string(usual("cpu")) : options.device;
  const std::string& hardware = planner.target_.hardware;
  planner.accelerator_text_ = !options.accelerator.empty() ? options.accelerator
                              : is_on_the_cpu(hardware)    ? planner.cpu_text_
                                                           : std::string(usual(hardware));
  EDGEWRIGHT_ASSIGN(planner.cpu_, roofs_from(planner.cpu_text_));
  EDGEWRIGHT_ASSIGN(planner.accelerator_, roofs_from(planner.accelerator_text_));
  return planner;
}

// A node with bodies takes as long as the slowest of them, run once: which branch is taken, and how
// often a loop runs, nobody knows beforehand.
std::vector<double> TargetPlanner::times_of(const Graph& graph, const Roofs& roofs,
                                            double each_us) const {
  const std::vector<NodeCost> costs = predict(graph, roofs);
  std::vector<double> times;
  for (const Node& node : graph.nodes()) {
    double slowest_us = 0;
    for (const auto& [name, body] : node.subgraphs) {
      double sum_us = 0;
      for (const double time_us : times_of(*body, roofs, each_us)) sum_us += time_us;
      slowest_us = std::max(slowest_us, sum_us);
    }
    times.push_back(costs[times.size()].time_us + each_us + slowest_us);
  }
  return times;
}

Result<int> TargetPlanner::fusing_opset(const Model& model) const {
  int best = kOpsetOfParts;
  std::optional<TargetReport> plan;
  const std::set<std::string> original = operators_of(*model.graph);
  const int newest = max_opset(target_);
  for (const int opset : {kOpsetOfParts, kCanonicalOpset}) {
    // A file of the newest opset that is read there cannot hold them.
    if (opset > kOpsetOfParts && newest > 0 && newest <= kOpsetOfParts) continue;
    Model optimised = clone(model);
    PipelineOptions options;
    options.pass.target_opset = opset;
    EDGEWRIGHT_TRY(optimise_model(optimised, options));
    EDGEWRIGHT_TRY(onnx_type_inferer().infer(*optimised.graph));
    TargetReport report = check(optimised, original, {.max_error = options_.gelu_max_error});
    const auto rank = [](const TargetReport& one) {
      return std::pair(one.passed ? 0 : 1, one.predicted_us);
    };
    if (plan && !(rank(report) < rank(*plan))) continue;
    best = opset;
    plan = std::move(report);
  }
  return best;
}

Result<GeluLimits> TargetPlanner::gelu_limits(const Graph& graph) const {
  GeluLimits limits{options_.gelu_max_error, {options_.gelu_low, options_.gelu_high}, {}};
  if (!options_.data.empty()) {
    EDGEWRIGHT_ASSIGN(limits.observed, observe_gelu_ranges(graph, options_.data, 1));
  }
  return limits;
}

TargetReport TargetPlanner::check(const Model& model,
                                  const std::set<std::string>& original_operators,
                                  const GeluLimits& gelu) const {
  const bool is_cpu = is_on_the_cpu(target_.hardware);
  TargetCheck check;
  check.original_operators = original_operators;
  // What the framework runs itself on the CPU is no fallback: leaving its graph costs a little.
  check.cpu_us = times_of(*model.graph, cpu_, is_cpu ? kLeavingUs : 0);
  check.accelerator_us = times_of(*model.graph, accelerator_, is_cpu ? 0 : kLaunchUs);
  check.copy_us_per_byte = is_cpu ? 0 : 1 / kCopyBytesPerUs;
  check.crossing_us = is_cpu ? kCallUs : kCrossingUs;
  NodeOpener opener(model, target_, accelerator_, kLaunchUs, gelu);
  check.open = [&](const Node& node) { return opener.opened(node); };
  TargetReport report = check_target(*model.graph, target_, check);
  report.assumptions = {
      fmt::format("CPU: {}; {}: {} (modelled, --device and --accelerator say otherwise)", cpu_text_,
                  target_.hardware, accelerator_text_),
      fmt::format("a value crosses at {:g} GB/s after {:g} us, an operation starts in {:g} us",
                  kCopyBytesPerUs / 1e3, check.crossing_us, is_cpu ? 0 : kLaunchUs)};
  add_gelu_forms(*model.graph, report, gelu, opener, report.assumptions);
  const auto branches = std::ranges::count_if(
      model.graph->nodes(), [](const Node& node) { return !node.subgraphs.empty(); });
  if (branches > 0) {
    report.warnings.push_back(fmt::format(
        "{} control-flow nodes count with the slowest of their bodies, run once; convert --fix the "
        "input that decides, then check again",
        branches));
  }
  return report;
}

Result<bool> TargetPlanner::apply(Model& model, const std::set<std::string>& original_operators,
                                  const GeluLimits& gelu, int file_opset,
                                  std::vector<Choice>& choices) const {
  const Model whole = clone(model);
  const TargetReport report = check(whole, original_operators, gelu);
  NodeOpener opener(whole, target_, accelerator_, kLaunchUs, gelu);
  return opener.apply(model, report, file_opset, choices);
}

}  // namespace edgewright
