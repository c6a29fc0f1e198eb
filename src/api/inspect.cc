#include "edgewright/session.h"

#include "api/engine.h"
#include "formats/onnx/type_inference.h"
#include "graph/cost.h"
#include "graph/fix_shapes.h"
#include "graph/node_facts.h"
#include "graph/text.h"

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

}  // namespace

Result<InspectReport> inspect(const std::string& path, const InputShapes& shapes) {
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
