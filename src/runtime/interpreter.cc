#include "runtime/interpreter.h"

#include <algorithm>
#include <deque>

#include "base/file.h"
#include "kernels/kernel.h"
#include "runtime/control_flow.h"
#include "runtime/interpreter_frame.h"

namespace edgewright {
namespace {

std::string place(const Node& node) {
  return fmt::format("node '{}' ({}{}{})", node.name, node.domain,
                     node.domain.empty() ? "" : "::", node.op);
}

// A call whose outputs live on the heap.
class HeapCall : public OpCall {
 public:
  explicit HeapCall(const Node& node) : node_(node) {
    domain = node.domain;
    op = node.op;
    attributes = &node.attributes;
    output_count = node.outputs.size();
    outputs_.resize(output_count);
    tensors_.resize(output_count);
  }

  bool wants_output(size_t i) const override {
    return i < node_.outputs.size() && node_.outputs[i] != nullptr;
  }

  Result<Tensor*> make_output(size_t i, DType dtype, Dims dims) override {
    // An output that the node does not name is made and thrown away.
    if (i >= tensors_.size()) tensors_.resize(i + 1);
    EDGEWRIGHT_ASSIGN(tensors_[i], Tensor::allocate_uninitialised(dtype, std::move(dims)));
    return &tensors_[i];
  }

  void set_output(size_t i, Datum datum) override {
    if (i < outputs_.size()) outputs_[i] = std::move(datum);
  }

  Result<Tensor*> make_scratch(DType dtype, Dims dims) override {
    EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(dtype, std::move(dims)));
    scratch_.push_back(std::move(tensor));
    return &scratch_.back();
  }

  Result<std::vector<Datum>> take_outputs() {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].kind() == Datum::Kind::kNone && !tensors_[i].empty_handle()) {
        outputs_[i] = std::move(tensors_[i]);
      }
      if (wants_output(i) && outputs_[i].kind() == Datum::Kind::kNone) {
        return internal_error("the kernel made no output {}", i);
      }
    }
    return std::move(outputs_);
  }

 private:
  const Node& node_;
  std::vector<Datum> outputs_;
  std::deque<Tensor> tensors_;
  std::deque<Tensor> scratch_;
};

ValueType type_of(const Datum& datum) {
  if (datum.is_tensor()) return ValueType::of(datum.tensor());
  ValueType type;
  if (!datum.is_sequence()) return type;
  type.kind = ValueType::Kind::kSequence;
  if (!datum.elements().empty()) {
    type.element = std::make_shared<ValueType>(type_of(datum.elements().front()));
  }
  return type;
}

bool belongs_to(const Value* value, const Graph& graph) {
  const Graph* owner = value->graph;
  while (owner != &graph && owner->parent != nullptr) owner = owner->parent->graph;
  return owner == &graph;
}

// Whether a body uses values from outside of it.
bool captures(const Graph& body) {
  const auto outside = [&](const Value* value) {
    return value != nullptr && !belongs_to(value, body);
  };
  bool found = std::ranges::any_of(body.outputs(), outside);
  for_each_node(
      body, [&](const Node& node) { found = found || std::ranges::any_of(node.inputs, outside); });
  return found;
}

// Weights of at least this size are given back to the system after the node that read them: a model
// may be larger than the memory.
constexpr size_t kReleasedBytes = size_t{1} << 20;

void release_weights(const Node& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Tensor* weights = node.constant_input(i);
    if (weights == nullptr || weights->dtype() == DType::kString) continue;
    if (weights->size_bytes() >= kReleasedBytes) MappedFile::release_pages(weights->byte_span());
  }
}

}  // namespace

Result<std::vector<Datum>> Interpreter::run(const Graph& graph, std::span<const Datum> inputs,
                                            const Observer& observer) {
  return InterpreterFrame(*this, graph, nullptr).run(inputs, observer);
}

Result<std::vector<Datum>> Interpreter::run_node(const Node& node, std::span<const Datum> inputs) {
  InterpreterFrame frame(*this, *node.graph, nullptr);
  for (size_t i = 0; i < node.inputs.size() && i < inputs.size(); ++i) {
    if (node.inputs[i] != nullptr) frame.set(node.inputs[i], inputs[i]);
  }
  return frame.run_node(node);
}

Result<std::vector<Tensor>> Interpreter::evaluate(const Node& node,
                                                  std::span<const Tensor* const> inputs) {
  std::vector<Datum> data;
  for (const Tensor* input : inputs) data.push_back(input == nullptr ? Datum() : Datum(*input));
  EDGEWRIGHT_ASSIGN(auto outputs, run_node(node, data));
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].is_tensor()) {
      tensors.push_back(outputs[i].tensor());
    } else if (node.outputs[i] == nullptr) {
      tensors.emplace_back();
    } else {
      return unsupported("{}: output {} is not a tensor", place(node), i);
    }
  }
  return tensors;
}

Status InterpreterFrame::bind_inputs(std::span<const Datum> inputs) {
  const auto& declared = graph_.inputs();
  if (inputs.size() != declared.size()) {
    return bad_input("graph '{}' takes {} inputs, {} were given", graph_.name, declared.size(),
                     inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].kind() != Datum::Kind::kNone) {
      data_[declared[i]] = inputs[i];
    } else if (!declared[i]->is_constant()) {
      return bad_input("input '{}' is missing", declared[i]->name);
    }
  }
  return {};
}

Datum InterpreterFrame::lookup(const Value* value) const {
  for (const InterpreterFrame* frame = this; frame != nullptr; frame = frame->outer_) {
    if (const auto it = frame->data_.find(value); it != frame->data_.end()) return it->second;
  }
  return value->is_constant() ? Datum(*value->constant) : Datum();
}

void InterpreterFrame::plan_releases() {
  std::unordered_map<const Value*, size_t> last_use;
  size_t index = 0;
  const auto note = [&](auto&& self, const Node& node) -> void {
    for (const Value* input : node.inputs) {
      if (input != nullptr && input->graph == &graph_) last_use[input] = index;
    }
    for (const auto& [name, subgraph] : node.subgraphs) {
      for (const Node& inner : subgraph->nodes()) self(self, inner);
    }
  };
  for (const Node& node : graph_.nodes()) {
    note(note, node);
    ++index;
  }
  for (const Value* output : graph_.outputs()) last_use.erase(output);
  releases_.resize(index);
  for (const auto& [value, last] : last_use) releases_[last].push_back(value);
}

void InterpreterFrame::release_after(size_t node_index) {
  for (const Value* value : releases_[node_index]) data_.erase(value);
}

Result<std::vector<Datum>> InterpreterFrame::run(std::span<const Datum> inputs,
                                                 const Interpreter::Observer& observer) {
  EDGEWRIGHT_TRY(bind_inputs(inputs));
  plan_releases();
  size_t index = 0;
  for (const Node& node : graph_.nodes()) {
    EDGEWRIGHT_ASSIGN(std::vector<Datum> outputs, run_node(node));
    release_weights(node);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == nullptr) continue;
      if (observer) observer(*node.outputs[i], outputs[i]);
      data_[node.outputs[i]] = std::move(outputs[i]);
    }
    release_after(index++);
  }
  std::vector<Datum> outputs;
  for (const Value* output : graph_.outputs()) outputs.push_back(lookup(output));
  return outputs;
}

Result<std::vector<Datum>> InterpreterFrame::run_node(const Node& node) {
  std::vector<Datum> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    inputs.push_back(node.inputs[i] == nullptr ? Datum() : lookup(node.inputs[i]));
    if (node.inputs[i] != nullptr && inputs.back().kind() == Datum::Kind::kNone) {
      return bad_input("{}: input {} ('{}') has no value", place(node), i, node.inputs[i]->name);
    }
  }
  auto outputs = dispatch(node, inputs);
  if (!outputs.ok()) return std::move(outputs).error().at(place(node));
  return outputs;
}

Result<std::vector<Datum>> InterpreterFrame::dispatch(const Node& node,
                                                      std::span<const Datum> inputs) {
  if (!is_control_flow(node.domain, node.op)) return run_kernel(node, inputs);
  if (interpreter_.depth_ >= interpreter_.limits_.nesting) {
    return unsupported("subgraphs are nested deeper than {} levels", interpreter_.depth_);
  }
  ++interpreter_.depth_;
  auto outputs = run_bodies(node, inputs);
  --interpreter_.depth_;
  return outputs;
}

Result<std::vector<Datum>> InterpreterFrame::run_bodies(const Node& node,
                                                        std::span<const Datum> inputs) {
  std::vector<ControlFlowBody> bodies;
  for (const auto& [attribute, body] : node.subgraphs) {
    std::vector<ValueType> types;
    for (const Value* output : body->outputs()) types.push_back(output->type);
    bodies.push_back({attribute, body->inputs().size(), std::move(types),
                      [this, graph = body.get()](std::span<const Datum> arguments) {
                        return run_body(*graph, arguments);
                      }});
  }
  return run_control_flow({node.op, &node.attributes, inputs, node.outputs.size(), bodies,
                           interpreter_.limits_.loop_iterations});
}

Result<std::vector<Datum>> InterpreterFrame::run_kernel(const Node& node,
                                                        std::span<const Datum> inputs) {
  const ReferenceKernel* kernel = find_reference_kernel(node.domain, node.op);
  if (kernel == nullptr) return run_expanded(node, inputs);
  HeapCall call(node);
  call.inputs = inputs;
  EDGEWRIGHT_TRY(kernel->run(call));
  return call.take_outputs();
}

Result<std::vector<Datum>> InterpreterFrame::run_expanded(const Node& node,
                                                          std::span<const Datum> inputs) {
  const auto missing = [&] {
    return unsupported("no kernel for operator {}{}{}", node.domain,
                       node.domain.empty() ? "" : "::", node.op);
  };
  if (!interpreter_.expander_ || interpreter_.depth_ >= interpreter_.limits_.nesting) {
    return missing();
  }
  Graph graph;
  std::vector<Value*> values;
  std::vector<Datum> given;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const bool present = node.inputs[i] != nullptr;
    values.push_back(present ? graph.add_input(node.inputs[i]->name, type_of(inputs[i])) : nullptr);
    if (present) given.push_back(inputs[i]);
  }
  std::vector<std::string> names;
  for (const Value* output : node.outputs) names.push_back(output ? output->name : "");
  Node* copy = graph.add_node(node.op, values, names, node.attributes, node.domain);
  copy->name = node.name;
  for (const auto& [attribute, body] : node.subgraphs) {
    // What a body captures is not there in the graph of one node.
    if (captures(*body)) return missing();
    copy->subgraphs.emplace_back(attribute, clone(*body));
    copy->subgraphs.back().second->parent = copy;
  }
  for (size_t i = 0; i < copy->outputs.size(); ++i) {
    if (copy->outputs[i] == nullptr) continue;
    copy->outputs[i]->type = node.outputs[i]->type;
    graph.add_output(copy->outputs[i]);
  }
  EDGEWRIGHT_ASSIGN(const bool expanded, interpreter_.expander_(graph, *copy));
  if (!expanded) return missing();
  ++interpreter_.depth_;
  auto made = InterpreterFrame(interpreter_, graph, nullptr).run(given, nullptr);
  --interpreter_.depth_;
  if (!made.ok()) return std::move(made).error();
  std::vector<Datum> outputs(node.outputs.size());
  size_t next = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (node.outputs[i] != nullptr) outputs[i] = std::move((*made)[next++]);
  }
  return outputs;
}

Result<std::vector<Datum>> InterpreterFrame::run_body(const Graph& body,
                                                      std::span<const Datum> inputs) const {
  return InterpreterFrame(interpreter_, body, this).run(inputs, nullptr);
}

}  // namespace edgewright
