// The common step before every writer: fixed shapes, and only operators that the format has.
#include <map>
#include <set>

#include "api/export_formats.h"
#include "api/open_backend.h"
#include "formats/onnx/schema_functions.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "graph/node_facts.h"

namespace edgewright {
namespace {

// Definitions may hold operators that are functions themselves; ONNX nests them four deep at most.
constexpr int kMaxDepth = 8;

// Opens every node without a counterpart once. Returns how many were opened, by operator.
Result<std::map<std::string, int>> expand_missing(Graph& graph, const ExportFormat& format) {
  std::map<std::string, int> opened;
  for (Node* node : graph.node_list()) {
    for (auto& [name, subgraph] : node->subgraphs) {
      EDGEWRIGHT_ASSIGN(const auto inner, expand_missing(*subgraph, format));
      for (const auto& [op, count] : inner) opened[op] += count;
    }
    if (format.has(*node)) continue;
    const std::string op = full_operator_name(node->domain, node->op);
    const auto expanded = expand_function(graph, *node);
    // The node is as it should be; it is its definition that does not serve here.
    if (!expanded.ok()) {
      return unsupported("{} has no {}, and the definition of '{}' cannot be opened: {}",
                         format.runtime, op, node->name, expanded.error().message);
    }
    if (*expanded) ++opened[op];
  }
  return opened;
}

Status refuse_missing(const Graph& graph, const ExportFormat& format) {
  struct Missing {
    int count = 0;
    std::string first;
  };
  std::map<std::string, Missing> missing;
  for_each_node(graph, [&](const Node& node) {
    if (format.has(node)) return;
    Missing& entry = missing[full_operator_name(node.domain, node.op)];
    if (entry.count++ == 0) {
      const Value* output = node.output(0);
      entry.first = !node.name.empty()  ? node.name
                    : output != nullptr ? output->name
                                        : std::string();
    }
  });
  if (missing.empty()) return {};
  std::string list;
  for (const auto& [op, entry] : missing) {
    list += fmt::format("{}{} ({} nodes, first '{}')", list.empty() ? "" : ", ", op, entry.count,
                        entry.first);
  }
  return unsupported(
      "{} has no counterpart for {}; `edgewright targets check` shows what runs there instead",
      format.runtime, list);
}

}  // namespace

Status take_tensor_outputs(Graph& graph, std::vector<std::string>& warnings) {
  std::vector<Value*> outputs;
  const auto has_numbers = [](const Value* value) {
    return value->type.is_tensor() && value->type.dtype != DType::kString &&
           value->type.dtype != DType::kUndefined;
  };
  // Calls itself once for each node behind an output that is given up.
  std::set<const Value*> seen;
  const auto take = [&](Value* value, const auto& again) -> void {
    if (value == nullptr || value->is_constant() || !seen.insert(value).second) return;
    if (has_numbers(value)) {
      outputs.push_back(value);
    } else if (value->producer != nullptr) {
      for (Value* input : value->producer->inputs) again(input, again);
    }
  };
  for (Value* output : graph.outputs()) {
    const size_t before = outputs.size();
    take(output, take);
    if (has_numbers(output)) continue;
    std::vector<std::string> names;
    for (size_t i = before; i < outputs.size(); ++i) names.push_back(outputs[i]->name);
    warnings.push_back(fmt::format("output '{}' ({}) gives way to: {}", output->name,
                                   type_text(output->type), fmt::join(names, ", ")));
  }
  if (outputs.empty()) return bad_input("no output is computed from tensors of numbers");
  graph.set_outputs(std::move(outputs));
  graph.remove_dead();
  return {};
}

Status close_shapes(Graph& graph, std::vector<std::string>& warnings) {
  std::map<std::string, Dims> shapes;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant() || !input->type.shape || known_dims(*input->type.shape)) continue;
    Dims& dims = shapes[input->name];
    for (const Dim& dim : *input->type.shape) dims.push_back(dim.is_known() ? dim.value : 1);
    warnings.push_back(fmt::format("input '{}' has shape {}; the result is for {} (see --shape)",
                                   input->name, shape_text(*input->type.shape), dims_text(dims)));
  }
  return shapes.empty() ? Status() : fix_shapes(graph, shapes);
}

Status fold_definitions(Model& model) {
  PipelineOptions options;
  options.pass.target_opset = kCanonicalOpset;
  options.stop_after = "eliminate_dead";
  EDGEWRIGHT_TRY(optimise_model(model, options));
  return onnx_type_inferer().infer(*model.graph);
}

Status decompose_for(Model& model, const ExportFormat& format, ConvertReport& report) {
  std::map<std::string, int> opened;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    EDGEWRIGHT_ASSIGN(const auto step, expand_missing(*model.graph, format));
    if (step.empty()) break;
    for (const auto& [op, count] : step) opened[op] += count;
    // The model was sound before, so that it is a definition that does not hold for its shapes.
    if (const Status cleaned = fold_definitions(model); !cleaned.ok()) {
      std::vector<std::string> names;
      names.reserve(step.size());
      for (const auto& [op, count] : step) names.push_back(op);
      return unsupported("{} has no {}, and what stands for it in ONNX does not hold here: {}",
                         format.runtime, fmt::join(names, ", "), cleaned.error().message);
    }
  }
  for (const auto& [op, count] : opened) {
    report.choices.push_back({op, "its ONNX definition", "native",
                              fmt::format("{} has no {}; {} nodes", format.runtime, op, count)});
  }
  return refuse_missing(*model.graph, format);
}

}  // namespace edgewright
