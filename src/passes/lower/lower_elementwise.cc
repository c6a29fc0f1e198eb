// Before: element-wise float32 nodes that feed each other, and single ones.
// After: one edgewright::Elementwise per tree of nodes, one pass over memory.
// Conditions: all results in between have the shape of the last one and nobody else reads them.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "passes/lower/quantized_match.h"

namespace edgewright {
namespace {

// Limits of the program that kernels run.
constexpr size_t kMaxStatements = 32;
constexpr size_t kMaxInputs = 8;

// Operators that are written as they are called, with this many inputs.
const std::map<std::string_view, size_t>& plain_operators() {
  static const auto* table = new std::map<std::string_view, size_t>{
      {"Add", 2},  {"Sub", 2},   {"Mul", 2},  {"Div", 2},  {"Max", 2},     {"Min", 2},
      {"Pow", 2},  {"Neg", 1},   {"Abs", 1},  {"Sqrt", 1}, {"Exp", 1},     {"Reciprocal", 1},
      {"Log", 1},  {"Erf", 1},   {"Tanh", 1}, {"Relu", 1}, {"Sigmoid", 1}, {"Floor", 1},
      {"Ceil", 1}, {"Round", 1}, {"Sin", 1},  {"Cos", 1},  {"Gelu", 1},    {"HardSwish", 1},
  };
  return *table;
}

// What an operand is in the program: an input, a result of a node of the chain, or a number.
using OperandText = FunctionRef<std::string(Value*)>;

std::string number_text(double value) { return fmt::format("{}", static_cast<float>(value)); }

// QuantizeLinear and DequantizeLinear of bytes with one scale.
std::string linear_text(const Node& node, OperandText text) {
  if (const auto scale = quantizes(node)) {
    return fmt::format("{}({},{},{})",
                       scale->dtype == DType::kInt8 ? "QuantizeInt8" : "QuantizeUint8",
                       text(node.inputs[0]), number_text(scale->scale), scale->zero);
  }
  const auto value = dequantized_value(node.output(0));
  if (!value || value->bytes->is_constant()) return "";
  return fmt::format("Dequantize({},{},{})", text(value->bytes), number_text(value->scale.scale),
                     value->scale.zero);
}

// "Clip(t0,0,6)"; empty when the node is not element-wise in this sense.
std::string call_text(const Node& node, OperandText text) {
  if (const std::string linear = linear_text(node, text); !linear.empty()) return linear;
  if (!node.domain.empty() || node.inputs.empty() || node.inputs[0] == nullptr) return "";
  const auto of = [&](size_t i) { return text(node.inputs[i]); };
  const auto attribute = [&](const char* name, float otherwise) {
    return number_text(node.attributes.get_float(name, otherwise));
  };
  if (node.op == "LeakyRelu") {
    return fmt::format("LeakyRelu({},{})", of(0), attribute("alpha", 0.01f));
  }
  if (node.op == "HardSigmoid") {
    return fmt::format("HardSigmoid({},{},{})", of(0), attribute("alpha", 0.2f),
                       attribute("beta", 0.5f));
  }
  if (node.op == "Clip") {
    const auto low = scalar_constant(node.input(1)), high = scalar_constant(node.input(2));
    if ((node.input(1) != nullptr && !low) || (node.input(2) != nullptr && !high)) return "";
    return fmt::format("Clip({},{},{})", of(0), low ? number_text(*low) : "-inf",
                       high ? number_text(*high) : "inf");
  }
  if (node.op == "Gelu" && node.attributes.get_string("approximate", "none") == "tanh") {
    return fmt::format("GeluTanh({})", of(0));
  }
  if (node.op == "Swish" && node.attributes.get_float("alpha", 1.0f) == 1.0f) {
    return fmt::format("Silu({})", of(0));
  }
  const auto it = plain_operators().find(node.op);
  if (it == plain_operators().end() || node.inputs.size() != it->second) return "";
  // Inputs are numbered as they are met, the first operand first.
  const std::string first = of(0);
  return it->second == 1 ? fmt::format("{}({})", node.op, first)
                         : fmt::format("{}({},{})", node.op, first, of(1));
}

// A tensor of bytes that linear_text() reads or makes.
bool is_linear_byte(const Value* value) {
  const DType dtype = dtype_of(value);
  return (dtype == DType::kUint8 || dtype == DType::kInt8) && static_dims(value).has_value();
}

bool is_elementwise(const Node& node) {
  if (node.outputs.size() != 1) return false;
  const bool makes_bytes = quantizes(node).has_value() && is_linear_byte(node.outputs[0]);
  if (!makes_bytes && !is_static_float(node.outputs[0])) return false;
  const bool reads_bytes = dequantized_value(node.outputs[0]).has_value();
  const auto count = checked_element_count(*static_dims(node.outputs[0]));
  if (!count.ok() || *count == 0) return false;
  bool all_float = true;
  const std::string text = call_text(node, [&](Value* value) {
    // Pow takes integer exponents too; as numbers they are the same.
    const bool fits = reads_bytes ? is_linear_byte(value) : is_static_float(value);
    if (!scalar_constant(value) && !fits) all_float = false;
    return std::string("x");
  });
  return !text.empty() && all_float;
}

class Chain {
 public:
  explicit Chain(Node* root) : root_(root), members_{root}, order_{root} {}

  void grow() {
    for (size_t next = 0; next < order_.size(); ++next) {
      for (size_t i = 0; i < order_[next]->inputs.size(); ++i) try_add(order_[next]->inputs[i]);
      // A producer of two members fits only after both are in: look again at the others.
      if (next + 1 < order_.size()) continue;
      const size_t before = order_.size();
      for (Node* member : std::vector<Node*>(order_)) {
        for (Value* input : member->inputs) try_add(input);
      }
      if (order_.size() == before) break;
    }
  }

  const std::unordered_set<Node*>& members() const { return members_; }

  // The program over the members in graph order; false when it has too many inputs.
  bool write(std::string& program, std::vector<Value*>& inputs) const {
    std::unordered_map<const Value*, size_t> results;
    const auto add_statement = [&](const Value* value, const std::string& text) {
      if (!program.empty()) program += ';';
      program += fmt::format("t{}={}", results.size(), text);
      results.emplace(value, results.size());
    };
    const auto input = [&](Value* value) {
      const auto it = std::ranges::find(inputs, value);
      const auto index = it - inputs.begin();
      if (it == inputs.end()) inputs.push_back(value);
      return fmt::format("i{}", index);
    };
    const auto operand = [&](Value* value) -> std::string {
      const auto number = scalar_constant(value);
      if (number && !results.contains(value)) return number_text(*number);
      // Bytes that others read too are read as bytes here as well.
      if (!results.contains(value) && is_static_float(value) && value->producer != nullptr) {
        const std::string text = linear_text(*value->producer, input);
        if (!text.empty()) add_statement(value, text);
      }
      const auto it = results.find(value);
      return it == results.end() ? input(value) : fmt::format("t{}", it->second);
    };
    for (Node& node : root_->graph->nodes()) {
      if (!members_.contains(&node)) continue;
      const std::string text = call_text(node, operand);
      add_statement(node.outputs[0], text);
      if (&node == root_) break;
    }
    return !inputs.empty() && inputs.size() <= kMaxInputs && results.size() <= 2 * kMaxStatements;
  }

 private:
  void try_add(Value* value) {
    if (value == nullptr || value->producer == nullptr || order_.size() >= kMaxStatements) return;
    Node* node = value->producer;
    if (node->graph != root_->graph || members_.contains(node) || value->is_graph_output()) return;
    if (!is_elementwise(*node) || static_dims(value) != static_dims(root_->outputs[0])) return;
    for (const Use& use : value->uses) {
      if (!members_.contains(use.node)) return;
    }
    members_.insert(node);
    order_.push_back(node);
  }

  Node* root_;
  std::unordered_set<Node*> members_;
  std::vector<Node*> order_;
};

Result<bool> lower_graph(Graph& graph, PassContext& context) {
  bool changed = false;
  std::vector<Node*> nodes = graph.node_list();
  std::unordered_set<Node*> gone;
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    Node* node = *it;
    if (gone.contains(node)) continue;
    for (auto& [attribute, subgraph] : node->subgraphs) {
      EDGEWRIGHT_ASSIGN(const bool inside, lower_graph(*subgraph, context));
      changed |= inside;
    }
    if (!is_elementwise(*node)) continue;
    Chain chain(node);
    chain.grow();
    std::string program;
    std::vector<Value*> inputs;
    if (!chain.write(program, inputs)) {
      // Too many inputs: the node alone.
      Chain single(node);
      program.clear();
      inputs.clear();
      if (!single.write(program, inputs) || !context.allow(*node)) continue;
      gone.insert(node);
    } else {
      if (!context.allow(*node)) continue;
      gone.insert(chain.members().begin(), chain.members().end());
    }
    replace_chain(context, node->outputs[0], "Elementwise", std::move(inputs),
                  make_attributes({{"program", program}}));
    changed = true;
  }
  return changed;
}

}  // namespace

Result<bool> lower_elementwise(Graph& graph, PassContext& context) {
  return lower_graph(graph, context);
}

}  // namespace edgewright
