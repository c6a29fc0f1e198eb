// Decides how tensors lie in memory: float convolutions write blocks of 16 channels and integer
// ones channels last, what follows them keeps that for as long as it can, edgewright::Reorder
// stands at the borders. The decision is recorded as input_layouts and output_layouts on the nodes.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "passes/lower/lower.h"

namespace edgewright {
namespace {

constexpr int64_t kBlock = 16;
constexpr auto kPlain = static_cast<int64_t>(LayoutCode::kPlain);
constexpr auto kNhwc = static_cast<int64_t>(LayoutCode::kNhwc);
constexpr auto kBlocked = static_cast<int64_t>(LayoutCode::kNchw16c);

class LayoutChoice {
 public:
  LayoutChoice(Graph& graph, PassContext& context) : graph_(graph), context_(context) {}

  Result<bool> run() {
    for (Node* node : graph_.node_list()) {
      for (auto& [attribute, subgraph] : node->subgraphs) {
        EDGEWRIGHT_ASSIGN(const bool inside, LayoutChoice(*subgraph, context_).run());
        changed_ |= inside;
      }
      choose(*node);
    }
    hand_out_plain_outputs();
    return changed_;
  }

 private:
  int64_t layout(const Value* value) const {
    const auto it = layouts_.find(value);
    return it == layouts_.end() ? kPlain : it->second;
  }
  void choose(Node& node);
  std::vector<int64_t> wanted_inputs(const Node& node) const;
  int64_t output_layout(const Node& node) const;
  int64_t input_layout(const Node& node) const;
  bool keeps_layout(const Node& node) const;
  Value* in_layout(Value* value, int64_t wanted, Node* before);
  void plain_captures(Graph& subgraph, Node& node);
  void hand_out_plain_outputs();

  Graph& graph_;
  PassContext& context_;
  std::unordered_map<const Value*, int64_t> layouts_;  // values that are not plain
  std::map<std::pair<const Value*, int64_t>, Value*> copies_;
  bool changed_ = false;
};

int64_t channels_of(const Value* value) {
  const auto dims = static_dims(value);
  return dims && dims->size() >= 3 ? (*dims)[1] : 0;
}

bool is_bytes(const Value* value) {
  const DType dtype = dtype_of(value);
  return (dtype == DType::kUint8 || dtype == DType::kInt8) && static_dims(value).has_value();
}

// The layout of the first input that does not lie plain.
int64_t LayoutChoice::input_layout(const Node& node) const {
  for (const Value* input : node.inputs) {
    if (input != nullptr && layout(input) != kPlain) return layout(input);
  }
  return kPlain;
}

// Operators beside convolutions that work on other layouts as well as on plain tensors.
bool LayoutChoice::keeps_layout(const Node& node) const {
  constexpr std::string_view kPools[] = {"MaxPool", "AveragePool", "GlobalAveragePool",
                                         "GlobalMaxPool"};
  const int64_t found = input_layout(node);
  if (node.outputs.size() != 1 || found == kPlain ||
      (!is_static_float(node.outputs[0]) && !is_bytes(node.outputs[0]))) {
    return false;
  }
  if (node.domain.empty() && std::ranges::find(kPools, node.op) != std::end(kPools)) {
    return is_static_float(node.outputs[0]) || (node.op == "MaxPool" && found == kNhwc);
  }
  if (node.is("QuantizedAveragePool", kEngineDomain) || node.is("QuantizedResize", kEngineDomain)) {
    return found == kNhwc;
  }
  const bool whole_blocks = channels_of(node.outputs[0]) % kBlock == 0;
  if (node.is("Elementwise", kEngineDomain)) {
    return (whole_blocks || found == kNhwc) &&
           std::ranges::all_of(node.inputs, [&](const Value* input) {
             return !input->is_constant() && static_dims(input) == static_dims(node.outputs[0]);
           });
  }
  if (node.is("Concat")) {
    const auto rank = static_cast<int64_t>(*rank_of(node.outputs[0]));
    const int64_t axis = node.attributes.get_int("axis", 0);
    return (axis == 1 || axis == 1 - rank) && rank >= 3 &&
           std::ranges::all_of(node.inputs, [&](const Value* input) {
             return layout(input) == found && (found == kNhwc || channels_of(input) % kBlock == 0);
           });
  }
  return false;
}

// The layouts that the node reads; empty when it is not for blocks.
std::vector<int64_t> LayoutChoice::wanted_inputs(const Node& node) const {
  if (node.is("Conv2d", kEngineDomain)) {
    std::vector<int64_t> wanted(node.inputs.size(), kPlain);
    const bool many = channels_of(node.inputs[0]) >= kBlock;
    wanted[0] = many || layout(node.inputs[0]) == kBlocked ? kBlocked : kPlain;
    if (node.input(3) != nullptr) wanted[3] = kBlocked;
    return wanted;
  }
  if (node.is("QuantizedConv2d", kEngineDomain)) {
    std::vector<int64_t> wanted(node.inputs.size(), kPlain);
    wanted[0] = kNhwc;
    if (node.input(4) != nullptr) wanted[4] = kNhwc;
    return wanted;
  }
  if (!keeps_layout(node)) return {};
  return std::vector<int64_t>(node.inputs.size(), input_layout(node));
}

// Of a node that wants layouts: before its inputs are brought there.
int64_t LayoutChoice::output_layout(const Node& node) const {
  if (node.is("QuantizedConv2d", kEngineDomain)) return kNhwc;
  return node.is("Conv2d", kEngineDomain) ? kBlocked : input_layout(node);
}

// The value in another layout, made once and placed before its first reader.
Value* LayoutChoice::in_layout(Value* value, int64_t wanted, Node* before) {
  if (layout(value) == wanted) return value;
  Value*& copy = copies_[{value, wanted}];
  if (copy != nullptr) return copy;
  Node* node = insert_node(context_, graph_, before, "Reorder", {value}, value->name + "_reordered",
                           make_attributes({{"input_layouts", std::vector<int64_t>{layout(value)}},
                                            {"output_layouts", std::vector<int64_t>{wanted}}}),
                           kEngineDomain);
  copy = node->outputs[0];
  copy->type = value->type;
  if (wanted != kPlain) layouts_[copy] = wanted;
  return copy;
}

// Subgraphs read what they capture as plain tensors.
void LayoutChoice::plain_captures(Graph& subgraph, Node& node) {
  for (Node& inner : subgraph.nodes()) {
    for (size_t i = 0; i < inner.inputs.size(); ++i) {
      Value* input = inner.inputs[i];
      if (input == nullptr || input->graph != &graph_) continue;
      subgraph.set_input(&inner, i, in_layout(input, kPlain, &node));
    }
    for (auto& [attribute, deeper] : inner.subgraphs) plain_captures(*deeper, node);
  }
  for (size_t i = 0; i < subgraph.outputs().size(); ++i) {
    Value* output = subgraph.outputs()[i];
    if (output->graph == &graph_) subgraph.set_output(i, in_layout(output, kPlain, &node));
  }
}

void LayoutChoice::choose(Node& node) {
  std::vector<int64_t> wanted = wanted_inputs(node);
  const bool chosen = !wanted.empty() && context_.allow(node);
  const int64_t made = chosen ? output_layout(node) : kPlain;
  if (!chosen) wanted.assign(node.inputs.size(), kPlain);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    Value* input = node.inputs[i];
    if (input == nullptr) continue;
    graph_.set_input(&node, i, in_layout(input, wanted[i], &node));
  }
  for (auto& [attribute, subgraph] : node.subgraphs) plain_captures(*subgraph, node);
  if (!chosen) return;
  node.attributes.set("input_layouts", wanted);
  node.attributes.set("output_layouts", std::vector<int64_t>(node.outputs.size(), made));
  for (const Value* output : node.outputs) {
    if (output != nullptr) layouts_[output] = made;
  }
  changed_ = true;
}

// Outputs of the graph are plain and keep their names.
void LayoutChoice::hand_out_plain_outputs() {
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    Value* output = graph_.outputs()[i];
    if (output->graph != &graph_ || layout(output) == kPlain) continue;
    Value* plain = in_layout(output, kPlain, nullptr);
    graph_.set_output(i, plain);
    const std::string name = output->name;
    graph_.rename(output, name + "_blocked");
    graph_.rename(plain, name);
  }
}

}  // namespace

Result<bool> annotate_layout(Graph& graph, PassContext& context) {
  bool done_before = false;
  for_each_node(graph, [&](Node& node) {
    done_before = done_before || node.attributes.contains("output_layouts");
  });
  if (done_before) return false;
  return LayoutChoice(graph, context).run();
}

}  // namespace edgewright
