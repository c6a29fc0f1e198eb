#include <algorithm>

#include "api/engine.h"
#include "api/open_backend.h"
#include "device/device.h"
#include "edgewright/deploy.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "graph/node_facts.h"
#include "profile/cost_model.h"
#include "split/halves.h"
#include "targets/check.h"
#include "targets/gelu.h"

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
};
constexpr double kCopyBytesPerUs = 5e3;  // a copy between two areas of one DRAM
constexpr double kCrossingUs = 50;       // waking the other side, and alignment
constexpr double kCallUs = 5;            // leaving a framework's graph on the CPU itself
constexpr double kLeavingUs = 0.1;       // of one operation, beside the values that cross
constexpr double kLaunchUs = 5;          // of one operation on an accelerator

std::string_view usual(std::string_view hardware) {
  const auto* found = std::ranges::find(kUsualHardware, hardware, &UsualHardware::name);
  return found == std::end(kUsualHardware) ? kUsualHardware[0].roofs : found->roofs;
}

std::set<std::string> operators_of(const Graph& graph) {
  std::set<std::string> operators;
  for_each_node(
      graph, [&](const Node& node) { operators.insert(full_operator_name(node.domain, node.op)); });
  return operators;
}

Result<Roofs> roofs_from(const std::string& text) {
  if (text.find('=') != std::string::npos) return parse_roofs(text);
  EDGEWRIGHT_ASSIGN(const Device device, load_device(text));
  return roofs_of(device);
}

std::vector<double> times_of(const Graph& graph, const Roofs& roofs, double launch_us) {
  std::vector<double> times;
  for (const NodeCost& cost : predict(graph, roofs)) times.push_back(cost.time_us + launch_us);
  return times;
}

// Opens nodes whose operators are functions of others, once for every kind of node.
class Opener {
 public:
  Opener(const Model& model, const Target& target, const Roofs& roofs, GeluForm gelu)
      : model_(model), target_(target), roofs_(roofs), gelu_(gelu) {}

  Opened operator()(const Node& node) {
    std::string key = node.domain + "::" + node.op;
    for (const Value* input : node.inputs) {
      key += input == nullptr ? "|" : "|" + type_text(input->type);
    }
    const auto [at, is_fresh] = known_.try_emplace(std::move(key));
    if (is_fresh) at->second = open(node);
    return at->second;
  }

 private:
  Opened open(const Node& node) const {
    Model part = alone(node);
    if (part.graph->nodes().size() != 1) return {};
    if (!onnx_type_inferer().infer(*part.graph).ok()) return {};
    const double whole_us = cost_of(*part.graph);
    Node& whole = part.graph->nodes().front();
    // The tanh form stands for both that do without erf.
    if (whole.op == "Gelu" && gelu_ != GeluForm::kErf) {
      whole.attributes.set("approximate", std::string("tanh"));
    }
    if (!open_all(part)) return {};
    Opened result;
    result.possible = std::ranges::all_of(part.graph->nodes(),
                                          [this](const Node& inner) { return runs_there(inner); });
    result.cost_factor = whole_us > 0 ? std::max(1.0, cost_of(*part.graph) / whole_us) : 1;
    return result;
  }

  bool runs_there(const Node& node) const {
    const SupportRow* row = find_support(target_, node);
    return row != nullptr &&
           (row->level == SupportLevel::kNative || row->level == SupportLevel::kDecompose);
  }

  // Opens the one node, and of what comes out what the target lacks; ONNX nests definitions four
  // deep at most. False when nothing could be opened.
  bool open_all(Model& part) const {
    constexpr int kMaxDepth = 4;
    for (int depth = 0; depth < kMaxDepth; ++depth) {
      bool any = false;
      for (Node* node : part.graph->node_list()) {
        if (depth > 0 && runs_there(*node)) continue;
        const auto opened = function_expander()(*part.graph, *node);
        if (!opened.ok()) return false;
        any = any || *opened;
      }
      if (!any) return depth > 0;
      if (!fold(part)) return false;
    }
    return true;
  }

  // The node as a model of its own.
  Model alone(const Node& node) const {
    std::vector<std::string> takes, gives;
    for (const Value* input : node.inputs) {
      if (input != nullptr && input->producer != nullptr) takes.push_back(input->name);
    }
    for (const Value* output : node.outputs) {
      if (output != nullptr) gives.push_back(output->name);
    }
    std::ranges::sort(takes);
    takes.erase(std::unique(takes.begin(), takes.end()), takes.end());
    return model_part(model_, takes, gives);
  }

  // Definitions reckon with shapes, which are known: that part computes nothing at run time.
  static bool fold(Model& model) {
    PipelineOptions options;
    options.pass.target_opset = kCanonicalOpset;
    options.stop_after = "eliminate_dead";
    return onnx_type_inferer().infer(*model.graph).ok() && optimise_model(model, options).ok() &&
           onnx_type_inferer().infer(*model.graph).ok();
  }

  double cost_of(const Graph& graph) const {
    double sum = 0;
    for (const NodeCost& cost : predict(graph, roofs_)) sum += cost.time_us + kLaunchUs;
    return sum;
  }

  const Model& model_;
  const Target& target_;
  const Roofs& roofs_;
  const GeluForm gelu_;
  std::map<std::string, Opened> known_;
};

void add_gelu_form(const TargetOptions& options, TargetReport& report) {
  const bool opens_gelu = std::ranges::any_of(report.nodes, [](const NodePlacement& node) {
    return node.op == "Gelu" && node.placement == "decompose";
  });
  if (!opens_gelu) return;
  const GeluForm form =
      choose_gelu_form(options.gelu_low, options.gelu_high, options.gelu_max_error);
  report.assumptions.push_back(
      fmt::format("GELU is decomposed in its {} form: error {:.2g} over inputs from {:g} to {:g}, "
                  "{:.2g} allowed",
                  gelu_form_name(form), gelu_error(form, options.gelu_low, options.gelu_high),
                  options.gelu_low, options.gelu_high, options.gelu_max_error));
}

}  // namespace

std::vector<std::string> target_names() { return framework_names(); }

Result<TargetReport> check_target(const std::string& path, const TargetOptions& options) {
  EDGEWRIGHT_ASSIGN(const Target target, find_target(options.target, options.hardware));
  EDGEWRIGHT_ASSIGN(Model model, load_model(path));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, options.shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  TargetCheck check;
  check.original_operators = operators_of(*model.graph);
  EDGEWRIGHT_TRY(optimise_model(model, {}));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));

  const std::string cpu_text = options.device.empty() ? std::string(usual("cpu")) : options.device;
  EDGEWRIGHT_ASSIGN(const Roofs cpu, roofs_from(cpu_text));
  const std::string accelerator_text = !options.accelerator.empty() ? options.accelerator
                                       : target.hardware == "cpu"
                                           ? cpu_text
                                           : std::string(usual(target.hardware));
  EDGEWRIGHT_ASSIGN(const Roofs accelerator, roofs_from(accelerator_text));
  const bool is_cpu = target.hardware == "cpu";
  // What the framework runs itself on the CPU is no fallback: leaving its graph costs a little.
  check.cpu_us = times_of(*model.graph, cpu, is_cpu ? kLeavingUs : 0);
  check.accelerator_us = times_of(*model.graph, accelerator, is_cpu ? 0 : kLaunchUs);
  check.copy_us_per_byte = is_cpu ? 0 : 1 / kCopyBytesPerUs;
  check.crossing_us = is_cpu ? kCallUs : kCrossingUs;
  Opener opener(model, target, accelerator,
                choose_gelu_form(options.gelu_low, options.gelu_high, options.gelu_max_error));
  check.open = [&](const Node& node) { return opener(node); };

  TargetReport report = check_target(*model.graph, target, check);
  report.assumptions = {
      fmt::format("CPU: {}; {}: {} (modelled, --device and --accelerator say otherwise)", cpu_text,
                  target.hardware, accelerator_text),
      fmt::format("a value crosses at {:g} GB/s after {:g} us, an operation starts in {:g} us",
                  kCopyBytesPerUs / 1e3, check.crossing_us, is_cpu ? 0 : kLaunchUs)};
  add_gelu_form(options, report);
  const auto branches = std::ranges::count_if(
      model.graph->nodes(), [](const Node& node) { return !node.subgraphs.empty(); });
  if (branches > 0) {
    report.warnings.push_back(fmt::format(
        "what lies in the bodies of {} control-flow nodes is in no time; convert --fix the input "
        "that decides, then check again",
        branches));
  }
  if (report.opset > 0 && model.source_opset > report.opset) {
    report.warnings.push_back(
        fmt::format("the importer reads opset {} at most, the model has {}: convert --opset {}",
                    report.opset, model.source_opset, report.opset));
  }
  return report;
}

}  // namespace edgewright
