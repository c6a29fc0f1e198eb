#include "quantize/low_float.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "passes/rewrite.h"

namespace edgewright {
namespace {

// Operators whose results lose little in 16 bits: products accumulate in float32 inside every
// kernel, the others compute element by element or move numbers about. What is not listed sums,
// normalises, exponentiates, or takes sizes as float32 (Resize), and stays in float32. `bfloat16`
// is the opset since which the operator takes that type.
constexpr struct {
  std::string_view op;
  int bfloat16;
} kSafe[] = {
    {"Abs", 13},           {"Add", 13},          {"AveragePool", 22},   {"Clip", 13},
    {"Concat", 13},        {"Conv", 22},         {"ConvTranspose", 22}, {"DepthToSpace", 13},
    {"Div", 13},           {"Elu", 22},          {"Expand", 13},        {"Flatten", 13},
    {"Gather", 13},        {"Gelu", 20},         {"Gemm", 13},          {"GlobalAveragePool", 22},
    {"GlobalMaxPool", 22}, {"HardSigmoid", 22},  {"HardSwish", 22},     {"Identity", 13},
    {"LeakyRelu", 16},     {"MatMul", 13},       {"Max", 13},           {"MaxPool", 22},
    {"Min", 13},           {"Mul", 13},          {"Neg", 13},           {"PRelu", 16},
    {"Pad", 13},           {"Relu", 13},         {"Reshape", 13},       {"Sigmoid", 13},
    {"Slice", 13},         {"SpaceToDepth", 13}, {"Split", 13},         {"Squeeze", 13},
    {"Sub", 13},           {"Tanh", 13},         {"Tile", 13},          {"Transpose", 13},
    {"Unsqueeze", 13},     {"Where", 16},
};

bool is_float32(const Value* value) {
  return value != nullptr && value->type.is_tensor() && value->type.dtype == DType::kFloat32;
}

double largest(DType dtype) {
  // float16: (2 - 2^-10) 2^15; bfloat16: (2 - 2^-7) 2^127 (IEEE 754; bfloat16 definition).
  return dtype == DType::kFloat16 ? 65504.0 : 3.3895313892515355e38;
}

class LowFloat {
 public:
  LowFloat(Graph& graph, const LowFloatOptions& options) : graph_(graph), options_(options) {}

  LowFloatReport convert() {
    for (Node* node : graph_.node_list()) {
      if (!touches_float(*node)) continue;
      if (const auto reason = reason_against(*node)) {
        report_.kept[node->name.empty() ? node->outputs[0]->name : node->name] = *reason;
      } else {
        low_.insert(node);
      }
    }
    const std::vector<Node*> nodes = graph_.node_list();
    for (Node* node : nodes) {
      if (low_.contains(node)) convert_node(*node);
    }
    return std::move(report_);
  }

 private:
  static bool touches_float(const Node& node) {
    return std::ranges::any_of(node.inputs, is_float32) ||
           std::ranges::any_of(node.outputs, is_float32);
  }

  std::optional<std::string> reason_against(const Node& node) const {
    if (!node.subgraphs.empty()) return "its subgraphs stay in float32";
    const auto* row = std::ranges::find_if(kSafe, [&](const auto& one) { return node.is(one.op); });
    if (row == std::end(kSafe)) return node.op + " stays in float32";
    if (options_.dtype == DType::kBfloat16 && row->bfloat16 > options_.target_opset) {
      return fmt::format("{} takes bfloat16 since opset {}", node.op, row->bfloat16);
    }
    const std::string& made = node.outputs[0]->name;
    if (options_.excluded.contains(made)) return "excluded";
    if (options_.only && !options_.only->contains(made)) return "not asked for";
    // An input that is float32 only sometimes would make the node's types contradict.
    if (!is_float32(node.output(0))) return "its result is no float32";
    for (const auto* values : {&node.inputs, &node.outputs}) {
      for (const Value* value : *values) {
        if (auto reason = out_of_range(value)) return reason;
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> out_of_range(const Value* value) const {
    if (!is_float32(value)) return std::nullopt;
    // Sums go through float16 between tiles in some kernels: half the range is kept free.
    const double limit = largest(options_.dtype) / 2;
    double seen = 0;
    if (value->is_constant()) {
      for (const float x : value->constant->elements<float>()) {
        seen = std::max(seen, std::isfinite(x) ? std::abs(static_cast<double>(x)) : HUGE_VAL);
      }
    } else if (options_.observations != nullptr) {
      const auto it = options_.observations->find(value->name);
      if (it != options_.observations->end()) {
        seen = std::max(-it->second.min(), it->second.max());
      }
    }
    if (seen <= limit) return std::nullopt;
    return fmt::format("'{}' reaches {:.3g}, more than half of the range of {}", value->name, seen,
                       dtype_name(options_.dtype));
  }

  Value* cast(Value* value, DType to, Node* before) {
    Node* node = graph_.add_node("Cast", {value}, {value->name + "_" + std::string(dtype_name(to))},
                                 make_attributes({{"to", static_cast<int64_t>(to)}}), "", before);
    node->name = node->outputs[0]->name;
    node->outputs[0]->type = ValueType::tensor(to, value->type.shape);
    return node->outputs[0];
  }

  // The value in 16 bits: what a converted node made, a converted constant, or a cast.
  Value* low_form(Value* value, Node* before) {
    Value*& entry = low_form_[value];
    if (entry != nullptr) return entry;
    if (!value->is_constant()) {
      Node* place = before;
      if (value->producer != nullptr) {
        const auto next = std::next(value->producer->position);
        place = next == graph_.nodes().end() ? nullptr : &*next;
      } else {
        place = &graph_.nodes().front();
      }
      return entry = cast(value, options_.dtype, place);
    }
    const auto numbers = *float_elements(*value->constant);
    auto tensor = float_tensor(options_.dtype, value->constant->dims(), numbers);
    EDGEWRIGHT_CHECK(tensor.ok());
    return entry = graph_.add_constant(graph_.fresh_name(value->name + "_low"), *std::move(tensor));
  }

  void convert_node(Node& node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (is_float32(node.inputs[i])) graph_.set_input(&node, i, low_form(node.inputs[i], &node));
    }
    const auto next = std::next(node.position);
    Node* after = next == graph_.nodes().end() ? nullptr : &*next;
    for (Value* made : node.outputs) {
      if (is_float32(made)) convert_output(made, after);
    }
  }

  // The node makes the 16-bit value under a new name; whoever stays in float32 reads a cast that
  // has the old one.
  void convert_output(Value* made, Node* after) {
    const std::vector<Use> uses = made->uses;
    const bool needed = made->is_graph_output() || std::ranges::any_of(uses, [&](const Use& use) {
                          return !low_.contains(use.node);
                        });
    made->type = ValueType::tensor(options_.dtype, made->type.shape);
    low_form_[made] = made;
    if (!needed) return;
    Value* wide = cast(made, DType::kFloat32, after);
    for (const Use& use : uses) {
      if (!low_.contains(use.node)) graph_.set_input(use.node, use.index, wide);
    }
    const std::string name = made->name;
    const auto& outputs = graph_.outputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != made) continue;
      graph_.set_output(i, wide);
      graph_.rename(made, graph_.fresh_name(name + "_low"));
      graph_.rename(wide, name);
    }
  }

  Graph& graph_;
  const LowFloatOptions& options_;
  LowFloatReport report_;
  std::set<const Node*> low_;
  std::map<Value*, Value*> low_form_;
};

// Rounds a value to a significand of fewer bits by Veltkamp's splitting (T. J. Dekker, "A
// floating-point technique for extending the available precision", 1971): with c = (2^s + 1) x,
// c - (c - x) is x rounded to 24 - s bits.
Value* rounded_to(Graph& graph, Value* value, DType dtype, Node* before) {
  const float factor = dtype == DType::kFloat16 ? 8193.0f : 65537.0f;  // 11 and 8 bits are left
  const std::string name = value->name + "_" + std::string(dtype_name(dtype));
  Value* constant = graph.add_constant(graph.fresh_name(name + "_factor"), Tensor::scalar(factor));
  const auto add = [&](const char* op, Value* a, Value* b, const char* suffix) {
    Node* node = graph.add_node(op, {a, b}, {graph.fresh_name(name + suffix)}, {}, "", before);
    node->outputs[0]->type = value->type;
    return node->outputs[0];
  };
  Value* large = add("Mul", value, constant, "_large");
  Value* rest = add("Sub", large, value, "_rest");
  return add("Sub", large, rest, "_rounded");
}

}  // namespace

void simulate_low_float(Graph& graph, const std::map<std::string, DType>& layers) {
  for (Node* node : graph.node_list()) {
    const Value* made = node->output(0);
    const auto it = made == nullptr ? layers.end() : layers.find(made->name);
    if (it == layers.end()) continue;
    for (size_t i = 0; i < node->inputs.size(); ++i) {
      Value* input = node->inputs[i];
      if (!is_float32(input)) continue;
      if (!input->is_constant()) {
        graph.set_input(node, i, rounded_to(graph, input, it->second, node));
        continue;
      }
      const auto numbers = *float_elements(*input->constant);
      const auto low = float_tensor(it->second, input->constant->dims(), numbers);
      EDGEWRIGHT_CHECK(low.ok());
      const auto wide =
          float_tensor(DType::kFloat32, input->constant->dims(), *float_elements(*low));
      EDGEWRIGHT_CHECK(wide.ok());
      graph.set_input(node, i,
                      graph.add_constant(graph.fresh_name(input->name + "_rounded"), *wide));
    }
  }
}

LowFloatReport convert_low_float(Graph& graph, const LowFloatOptions& options) {
  return LowFloat(graph, options).convert();
}

std::vector<std::string> low_float_observed(Graph& graph) {
  std::set<std::string> names;
  for (const Node& node : graph.nodes()) {
    for (const auto* values : {&node.inputs, &node.outputs}) {
      for (const Value* value : *values) {
        const bool own = value != nullptr && value->graph == &graph && !value->is_constant();
        if (own && is_float32(value)) names.insert(value->name);
      }
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace edgewright
