// Before: operators on float16 or bfloat16.
// After: the same on float32, products of bfloat16 marked with products="bfloat16", so that kernels
// for such products are tried beside those of float32. Sixteen bits stay where something else reads
// or makes them: graph inputs and outputs, subgraphs, operators that are not listed here.
// Results are at least as exact: what is between two such operators is not rounded, as in any
// kernel that computes several operators at once.
#include <algorithm>
#include <map>
#include <set>

#include "passes/lower/lower.h"

namespace edgewright {
namespace {

constexpr std::string_view kProducts[] = {"Conv", "MatMul", "Gemm"};
// Operators that compute the same on wider numbers.
constexpr std::string_view kWidened[] = {"Conv",
                                         "MatMul",
                                         "Gemm",
                                         "ConvTranspose",
                                         "Abs",
                                         "Add",
                                         "AveragePool",
                                         "Clip",
                                         "Concat",
                                         "DepthToSpace",
                                         "Div",
                                         "Elu",
                                         "Erf",
                                         "Exp",
                                         "Expand",
                                         "Flatten",
                                         "Gather",
                                         "Gelu",
                                         "GlobalAveragePool",
                                         "GlobalMaxPool",
                                         "HardSigmoid",
                                         "HardSwish",
                                         "Identity",
                                         "LayerNormalization",
                                         "LeakyRelu",
                                         "Max",
                                         "MaxPool",
                                         "Min",
                                         "Mul",
                                         "Neg",
                                         "PRelu",
                                         "Pad",
                                         "Pow",
                                         "ReduceMean",
                                         "ReduceSum",
                                         "Relu",
                                         "Reshape",
                                         "Sigmoid",
                                         "Slice",
                                         "Softmax",
                                         "SpaceToDepth",
                                         "Split",
                                         "Sqrt",
                                         "Squeeze",
                                         "Sub",
                                         "Tanh",
                                         "Tile",
                                         "Transpose",
                                         "Unsqueeze",
                                         "Where"};

bool is_low(const Value* value) {
  return value != nullptr &&
         (value->type.dtype == DType::kFloat16 || value->type.dtype == DType::kBfloat16);
}

class Widening {
 public:
  Widening(Graph& graph, PassContext& context) : graph_(graph), context_(context) {}

  Result<bool> run() {
    for (Node* node : graph_.node_list()) {
      const bool low =
          std::ranges::any_of(node->inputs, is_low) || std::ranges::any_of(node->outputs, is_low);
      if (!low || !can_widen(*node) || !context_.allow(*node)) continue;
      mark_products(*node);  // while all operands have their types
      widened_.insert(node);
    }
    for (Node* node : graph_.node_list()) {
      if (!widened_.contains(node)) continue;
      for (size_t i = 0; i < node->inputs.size(); ++i) {
        if (!is_low(node->inputs[i])) continue;
        EDGEWRIGHT_ASSIGN(Value * wide, wide_form(node->inputs[i], node));
        graph_.set_input(node, i, wide);
      }
      for (Value* made : node->outputs) {
        if (is_low(made)) widen_output(made);
      }
    }
    return !widened_.empty();
  }

 private:
  static bool can_widen(const Node& node) {
    if (!node.subgraphs.empty()) return false;
    if (std::ranges::find(kWidened, node.op) == std::end(kWidened)) return false;
    // Where no output is of sixteen bits the operator takes them for something else.
    return std::ranges::any_of(node.outputs, is_low);
  }

  static void mark_products(Node& node) {
    const bool product = std::ranges::find(kProducts, node.op) != std::end(kProducts);
    if (!product || node.inputs.size() < 2) return;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      if (node.inputs[i] == nullptr || node.inputs[i]->type.dtype != DType::kBfloat16) return;
    }
    node.attributes.set("products", std::string("bfloat16"));
  }

  Value* cast(Value* value, DType to, Node* before) {
    Node* node = graph_.add_node(
        "Cast", {value}, {graph_.fresh_name(value->name + "_" + std::string(dtype_name(to)))},
        make_attributes({{"to", static_cast<int64_t>(to)}}), "", before);
    node->outputs[0]->type = ValueType::tensor(to, value->type.shape);
    return node->outputs[0];
  }

  // The float32 from which a value was rounded, a constant in float32, or a cast.
  Result<Value*> wide_form(Value* value, Node* before) {
    Value*& entry = wide_[value];
    if (entry != nullptr) return entry;
    if (value->is_constant()) {
      const auto numbers = float_elements(*value->constant);
      if (!numbers) return internal_error("'{}' holds no floats", value->name);
      EDGEWRIGHT_ASSIGN(Tensor tensor,
                        float_tensor(DType::kFloat32, value->constant->dims(), *numbers));
      return entry =
                 graph_.add_constant(graph_.fresh_name(value->name + "_wide"), std::move(tensor));
    }
    const Node* maker = value->producer;
    if (maker != nullptr && maker->is("Cast") && maker->graph == &graph_ &&
        maker->inputs[0]->type.dtype == DType::kFloat32) {
      return entry = maker->inputs[0];
    }
    return entry = cast(value, DType::kFloat32, before);
  }

  // The value becomes float32 where it is made. Readers that stay get a cast to what it was; casts
  // to float32 are no longer needed.
  void widen_output(Value* made) {
    const DType before = made->type.dtype;
    const std::vector<Use> uses = made->uses;
    std::vector<size_t> given;  // places among the graph's outputs
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      if (graph_.outputs()[i] == made) given.push_back(i);
    }
    made->type = ValueType::tensor(DType::kFloat32, made->type.shape);
    wide_[made] = made;
    const auto next = std::next(made->producer->position);
    Node* after = next == graph_.nodes().end() ? nullptr : &*next;
    Value* narrow = nullptr;
    for (const Use& use : uses) {
      if (widened_.contains(use.node)) continue;
      Node& user = *use.node;
      const bool widens = user.is("Cast") && user.graph == &graph_ &&
                          user.outputs[0]->type.dtype == DType::kFloat32;
      if (widens) {
        graph_.replace_uses(user.outputs[0], made);
        continue;
      }
      if (narrow == nullptr) narrow = cast(made, before, after);
      graph_.set_input(&user, use.index, narrow);
    }
    if (given.empty()) return;
    if (narrow == nullptr) narrow = cast(made, before, after);
    const std::string name = made->name;
    for (const size_t i : given) graph_.set_output(i, narrow);
    graph_.rename(made, graph_.fresh_name(name + "_wide"));
    graph_.rename(narrow, name);
  }

  Graph& graph_;
  PassContext& context_;
  std::set<const Node*> widened_;
  std::map<Value*, Value*> wide_;
};

}  // namespace

void keep_products(const Node& node, Attributes& attributes) {
  const std::string products = node.attributes.get_string("products", "");
  if (!products.empty()) attributes.set("products", products);
}

Result<bool> lower_low_float(Graph& graph, PassContext& context) {
  return Widening(graph, context).run();
}

}  // namespace edgewright
