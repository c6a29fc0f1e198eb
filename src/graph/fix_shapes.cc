#include "graph/fix_shapes.h"

#include <algorithm>

namespace edgewright {
namespace {

Error contradiction(const Value& input, const Dims& dims) {
  return usage_error("shape {} for input '{}', whose declared shape is {}", dims_text(dims),
                     input.name, shape_text(*input.type.shape));
}

Status bind_input(const Value& input, const Dims& dims, SymbolSizes& symbols) {
  if (!input.type.shape) return {};
  const Shape& shape = *input.type.shape;
  if (shape.size() != dims.size()) return contradiction(input, dims);
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].is_known() && shape[i].value != dims[i]) return contradiction(input, dims);
    if (shape[i].symbol.empty()) continue;
    const auto [at, fresh] = symbols.emplace(shape[i].symbol, dims[i]);
    if (!fresh && at->second != dims[i]) {
      return usage_error("dimension '{}' is given as {} and as {}", shape[i].symbol, at->second,
                         dims[i]);
    }
  }
  return {};
}

void forget_shapes(Graph& graph) {
  for (Value& value : graph.values()) {
    if (value.producer != nullptr && value.type.is_tensor()) value.type.shape.reset();
  }
  for (Node& node : graph.nodes()) {
    for (auto& [name, subgraph] : node.subgraphs) forget_shapes(*subgraph);
  }
}

}  // namespace

Result<SymbolSizes> bind_symbols(const Graph& graph, const std::map<std::string, Dims>& shapes) {
  SymbolSizes symbols;
  size_t found = 0;
  for (const Value* input : graph.inputs()) {
    const auto given = shapes.find(input->name);
    if (given == shapes.end()) continue;
    ++found;
    EDGEWRIGHT_TRY(bind_input(*input, given->second, symbols));
  }
  if (found == shapes.size()) return symbols;
  std::vector<std::string> names;
  for (const Value* input : graph.inputs()) names.push_back(input->name);
  for (const auto& [name, dims] : shapes) {
    if (std::ranges::find(names, name) == names.end()) {
      return usage_error("a shape is given for '{}', but the inputs are: {}", name,
                         fmt::join(names, ", "));
    }
  }
  return symbols;
}

Status fix_shapes(Graph& graph, const std::map<std::string, Dims>& shapes) {
  if (shapes.empty()) return {};
  EDGEWRIGHT_ASSIGN(const SymbolSizes symbols, bind_symbols(graph, shapes));
  for (Value* input : graph.inputs()) {
    if (const auto given = shapes.find(input->name); given != shapes.end()) {
      input->type.shape = to_shape(given->second);
    } else if (input->type.shape) {
      for (Dim& dim : *input->type.shape) {
        if (const auto size = symbols.find(dim.symbol); size != symbols.end()) {
          dim = Dim(size->second);
        }
      }
    }
  }
  forget_shapes(graph);
  return {};
}

}  // namespace edgewright
