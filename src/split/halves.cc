#include "split/halves.h"

#include <algorithm>
#include <set>

namespace edgewright {
namespace {

using Names = std::vector<std::string>;

// A copy of the model that gives these values instead of its outputs.
Model giving(const Model& model, const Names& outputs) {
  Model copy;
  copy.source_opset = model.source_opset;
  copy.domain_versions = model.domain_versions;
  copy.ir_version = model.ir_version;
  copy.producer_name = model.producer_name;
  copy.producer_version = model.producer_version;
  copy.documentation = model.documentation;
  copy.metadata = model.metadata;
  copy.graph->name = model.graph->name;
  std::vector<Value*> inputs;
  for (const Value* input : model.graph->inputs()) {
    inputs.push_back(copy.graph->add_input(input->name, input->type));
    inputs.back()->constant = input->constant;
  }
  inline_graph(*model.graph, inputs, *copy.graph, nullptr);
  for (const std::string& name : outputs) {
    Value* value = copy.graph->find_value(name);
    EDGEWRIGHT_CHECK(value != nullptr);
    copy.graph->add_output(value);
  }
  return copy;
}

void drop_unused_inputs(Graph& graph) {
  graph.remove_dead();
  for (size_t i = graph.inputs().size(); i-- > 0;) {
    const Value* input = graph.inputs()[i];
    if (input->uses.empty() && !input->is_graph_output()) graph.remove_input(i);
  }
}

// A value that a node of the graph makes becomes an input of the same name.
void make_input(Graph& graph, const std::string& name) {
  Value* made = graph.find_value(name);
  EDGEWRIGHT_CHECK(made != nullptr && made->producer != nullptr);
  graph.rename(made, graph.fresh_name(name + ".made"));
  Value* input = graph.add_input(name, made->type);
  graph.replace_uses(made, input, false);
}

struct Division {
  Names sent_made;    // by nodes of the device half
  Names sent_inputs;  // inputs of the model that the server half takes
  Names device_outputs, server_outputs;
};

Division divide(const Model& model, const GraphWork& work, const Placement& placement) {
  Division division;
  for (const SplitTensor& tensor : work.work.tensors) {
    const bool crosses =
        placement[tensor.producer] == 0 &&
        std::ranges::any_of(tensor.consumers, [&](size_t layer) { return placement[layer] != 0; });
    if (!crosses) continue;
    (tensor.producer == 0 ? division.sent_inputs : division.sent_made).push_back(tensor.name);
  }
  std::set<const Node*> server;
  for (size_t layer = 1; layer < placement.size(); ++layer) {
    if (placement[layer] != 0) server.insert(work.nodes[layer]);
  }
  for (const Value* output : model.graph->outputs()) {
    (server.contains(output->producer) ? division.server_outputs : division.device_outputs)
        .push_back(output->name);
  }
  return division;
}

}  // namespace

Result<ModelHalves> split_model(const Model& model, const GraphWork& work,
                                const Placement& placement) {
  EDGEWRIGHT_CHECK(placement.size() == work.nodes.size());
  const Division division = divide(model, work, placement);
  Names device_gives = division.sent_made;
  for (const std::string& name : division.device_outputs) {
    if (std::ranges::find(device_gives, name) == device_gives.end()) device_gives.push_back(name);
  }
  ModelHalves halves{giving(model, device_gives), giving(model, division.server_outputs)};
  halves.sent = division.sent_inputs;
  halves.sent.insert(halves.sent.end(), division.sent_made.begin(), division.sent_made.end());
  halves.device_outputs = division.device_outputs;
  halves.server_outputs = division.server_outputs;
  drop_unused_inputs(*halves.device.graph);
  for (const std::string& name : division.sent_made) make_input(*halves.server.graph, name);
  drop_unused_inputs(*halves.server.graph);
  return halves;
}

Model model_part(const Model& model, const std::vector<std::string>& takes,
                 const std::vector<std::string>& gives) {
  Model part = giving(model, gives);
  for (const std::string& name : takes) make_input(*part.graph, name);
  drop_unused_inputs(*part.graph);
  return part;
}

}  // namespace edgewright
