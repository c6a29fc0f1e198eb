#include "edgewright/session.h"

#include "api/engine.h"
#include "formats/onnx/type_inference.h"
#include "graph/cost.h"
#include "graph/fix_shapes.h"
#include "graph/node_facts.h"
#include "graph/text.h"
#include "profile/operator_cost.h"
#include "runtime/plan_file.h"

namespace edgewright {
namespace {

void count_constants(const Graph& graph, InspectReport& report) {
  for (const Value& value : graph.values()) {
    if (!value.is_constant()) continue;
    report.parameters += value.constant->element_count();
    report.parameter_bytes += static_cast<int64_t>(value.constant->size_bytes());
  }
  for (const Node& node : graph.nodes()) {
    for (const auto& [name, subgraph] : node.subgraphs) count_constants(*subgraph, report);
  }
}

void count_nodes(const Graph& graph, InspectReport& report) {
  for_each_node(graph, [&](const Node& node) {
    ++report.nodes;
    ++report.operators[full_operator_name(node.domain, node.op)];
    const auto macs = multiply_adds(node);
    report.macs += macs.value_or(0);
    report.macs_complete = report.macs_complete && macs.has_value();
  });
}

InterfaceValue plan_port(const PlanValue& value) {
  return interface_of(value.name, type_of(value));
}

// Steps of the bodies of control flow included.
void count_steps(const Plan& plan, InspectReport& report) {
  for (const PlanStep& step : plan.steps) {
    ++report.nodes;
    ++report.operators[full_operator_name(step.domain, step.op)];
    report.macs += work_of(operation_of(plan, step)).multiply_adds;
    if (!step.packed.empty_handle()) {
      report.parameter_bytes += static_cast<int64_t>(step.packed.size_bytes());
    }
    for (const NestedPlan& body : step.bodies) count_steps(*body.plan, report);
  }
  for (const Tensor& constant : plan.constants) {
    report.parameters += constant.element_count();
    report.parameter_bytes += static_cast<int64_t>(constant.size_bytes());
  }
}

// A plan is for one processor and one set of shapes; its weights lie as the kernels read them.
Result<InspectReport> inspect_plan(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const auto plan, read_plan(path));
  InspectReport report;
  for (const int32_t input : plan->inputs) {
    report.inputs.push_back(plan_port(plan->values[static_cast<size_t>(input)]));
  }
  for (const int32_t output : plan->outputs) {
    report.outputs.push_back(plan_port(plan->values[static_cast<size_t>(output)]));
  }
  count_steps(*plan, report);
  report.opset = kCanonicalOpset;
  report.producer = fmt::format("edgewright plan, {} threads", plan->threads);
  report.warnings.push_back(fmt::format(
      "a plan for this processor: arena {} bytes; packed weights count in bytes, not as "
      "parameters",
      total_arena_bytes(*plan)));
  return report;
}

}  // namespace

Result<InspectReport> inspect(const std::string& path, const InputShapes& shapes) {
  if (path.ends_with(".ewplan")) {
    if (!shapes.empty()) return usage_error("{} is a plan: its shapes are fixed already", path);
    return inspect_plan(path);
  }
  EDGEWRIGHT_ASSIGN(const Model model, load_model(path));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, shapes));
  InspectReport report;
  if (auto status = onnx_type_inferer().infer(*model.graph); !status.ok()) {
    report.warnings.push_back("shapes are not known throughout: " + status.error().message);
  }
  for (const Value* input : model.graph->inputs()) {
    report.inputs.push_back(interface_of(input->name, input->type));
  }
  for (const Value* output : model.graph->outputs()) {
    report.outputs.push_back(interface_of(output->name, output->type));
  }
  count_nodes(*model.graph, report);
  count_constants(*model.graph, report);
  report.opset = model.source_opset;
  report.ir_version = model.ir_version;
  report.producer = model.producer_name;
  if (!model.producer_version.empty()) report.producer += " " + model.producer_version;
  return report;
}

Result<std::string> model_text(const std::string& path, bool whole) {
  if (path.ends_with(".ewplan")) {
    return unsupported("{} is a plan, which is no graph any more: it has no readable text", path);
  }
  EDGEWRIGHT_ASSIGN(const Model model, load_model(path));
  TextOptions options;
  options.elide_large_constants = !whole;
  return print(model, options);
}

Result<std::string> reprint_text(const std::string& text) {
  EDGEWRIGHT_ASSIGN(const Model model, parse_model(text));
  return print(model);
}

}  // namespace edgewright
