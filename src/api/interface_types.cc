// The interface of a model that was written and read back.
#include <algorithm>

#include "api/export_formats.h"

namespace edgewright {
namespace {

Value* cast_before(Graph& graph, Value* value, DType to, Node* before) {
  Attributes attributes;
  attributes.set("to", static_cast<int64_t>(to));
  Node* node =
      graph.add_node("Cast", {value}, {value->name + "/cast"}, std::move(attributes), "", before);
  node->outputs[0]->type = ValueType::tensor(to, value->type.shape);
  return node->outputs[0];
}

}  // namespace

Status take_interface_types(const Graph& written, Graph& read) {
  std::vector<const Value*> wanted;
  for (const Value* input : written.inputs()) {
    if (!input->is_constant()) wanted.push_back(input);
  }
  const std::vector<Value*> given = read.inputs();
  if (given.size() != wanted.size() || read.outputs().size() != written.outputs().size()) {
    return internal_error("found {} inputs and {} outputs in what was written, expected {} and {}",
                          given.size(), read.outputs().size(), wanted.size(),
                          written.outputs().size());
  }
  Node* first = read.nodes().empty() ? nullptr : &read.nodes().front();
  for (size_t i = 0; i < given.size(); ++i) {
    const DType own = given[i]->type.dtype, other = wanted[i]->type.dtype;
    if (own == other) continue;
    const std::vector<Use> uses = given[i]->uses;
    Value* narrow = cast_before(read, given[i], own, first);
    given[i]->type.dtype = other;
    for (const Use& use : uses) {
      use.node->graph->set_input(use.node, use.index, narrow);
    }
  }
  for (size_t i = 0; i < written.outputs().size(); ++i) {
    Value* output = read.outputs()[i];
    const DType other = written.outputs()[i]->type.dtype;
    if (output->type.dtype != other) {
      read.set_output(i, cast_before(read, output, other, nullptr));
    }
  }
  return {};
}

}  // namespace edgewright
