#include "passes/rewrite.h"

#include <algorithm>

#include "tensor/element.h"

namespace edgewright {
namespace {

// The more precise of two types of one value.
ValueType merged(const ValueType& a, const ValueType& b) {
  if (!a.is_tensor() || !b.is_tensor() || !b.shape) {
    return a.kind == ValueType::Kind::kUnknown ? b : a;
  }
  if (!a.shape || a.shape->size() != b.shape->size()) return b;
  ValueType type = a;
  if (type.dtype == DType::kUndefined) type.dtype = b.dtype;
  for (size_t i = 0; i < type.shape->size(); ++i) {
    Dim& dim = (*type.shape)[i];
    if (!dim.is_known() && ((*b.shape)[i].is_known() || dim.symbol.empty())) dim = (*b.shape)[i];
  }
  return type;
}

}  // namespace

Result<bool> rewrite_nodes(Graph& graph, std::string_view op, NodeRewrite rewrite) {
  bool changed = false;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it++;
    for (auto& [attribute, subgraph] : node.subgraphs) {
      EDGEWRIGHT_ASSIGN(const bool inside, rewrite_nodes(*subgraph, op, rewrite));
      changed |= inside;
    }
    if (!op.empty() && node.op != op) continue;
    EDGEWRIGHT_ASSIGN(const bool done, rewrite(graph, node));
    changed |= done;
  }
  return changed;
}

Node* producer(const Value* value, std::string_view op, std::string_view domain) {
  if (value == nullptr || value->producer == nullptr) return nullptr;
  return value->producer->is(op, domain) ? value->producer : nullptr;
}

bool has_single_use(const Value* value) {
  return value != nullptr && value->uses.size() == 1 && !value->is_graph_output();
}

Node* single_user(const Value* value) {
  return has_single_use(value) ? value->uses[0].node : nullptr;
}

std::optional<size_t> rank_of(const Value* value) {
  if (value == nullptr || !value->type.is_tensor() || !value->type.shape) return std::nullopt;
  return value->type.shape->size();
}

DType dtype_of(const Value* value) {
  return value != nullptr && value->type.is_tensor() ? value->type.dtype : DType::kUndefined;
}

std::optional<Dims> static_dims(const Value* value) {
  if (!rank_of(value)) return std::nullopt;
  return known_dims(*value->type.shape);
}

bool same_shape(const Value* a, const Value* b) {
  if (!rank_of(a) || rank_of(a) != rank_of(b)) return false;
  for (size_t i = 0; i < a->type.shape->size(); ++i) {
    const Dim& dim = (*a->type.shape)[i];
    if (dim != (*b->type.shape)[i] || (!dim.is_known() && dim.symbol.empty())) return false;
  }
  return true;
}

std::optional<double> scalar_constant(const Value* value) {
  if (value == nullptr || !value->is_constant() || value->constant->element_count() != 1) {
    return std::nullopt;
  }
  const DType dtype = value->constant->dtype();
  if (dtype == DType::kComplex64 || dtype == DType::kComplex128 || dtype_bits(dtype) == 0) {
    return std::nullopt;
  }
  return load_double(dtype, value->constant->bytes(), 0);
}

std::optional<std::vector<int64_t>> int_constant(const Value* value) {
  if (value == nullptr || !value->is_constant() || !is_integer(value->constant->dtype())) {
    return std::nullopt;
  }
  auto elements = value->constant->to_int64s();
  if (!elements.ok()) return std::nullopt;
  return *std::move(elements);
}

std::optional<std::vector<int64_t>> normalised_axes(std::vector<int64_t> axes, size_t rank) {
  const auto limit = static_cast<int64_t>(rank);
  for (int64_t& axis : axes) {
    if (axis < -limit || axis >= limit) return std::nullopt;
    if (axis < 0) axis += limit;
  }
  return axes;
}

bool can_replace(const Value* from, const Value* to) {
  if (from == to || from == nullptr || to == nullptr) return false;
  if (!from->is_graph_output()) return true;
  if (to->graph != from->graph) return false;
  if (from->graph->parent != nullptr) return true;  // outputs of subgraphs go by position
  return !to->is_graph_input() && !to->is_graph_output() && !to->is_constant();
}

bool replace_value(Value* from, Value* to) {
  if (!can_replace(from, to)) return false;
  to->type = merged(to->type, from->type);
  from->graph->replace_uses(from, to, from->graph->parent == nullptr);
  return true;
}

void erase_if_dead(Node* node) {
  std::vector<Node*> waiting{node};
  while (!waiting.empty()) {
    Node* candidate = waiting.back();
    waiting.pop_back();
    const bool live = std::ranges::any_of(candidate->outputs, [](const Value* output) {
      return output != nullptr && (!output->uses.empty() || output->is_graph_output());
    });
    if (live) continue;
    std::erase(waiting, candidate);
    for (const Value* input : candidate->inputs) {
      // A value of an enclosing graph is left to remove_dead: its node may be about to be visited.
      if (input == nullptr || input->producer == nullptr || input->graph != candidate->graph) {
        continue;
      }
      if (std::ranges::find(waiting, input->producer) == waiting.end()) {
        waiting.push_back(input->producer);
      }
    }
    candidate->graph->erase(candidate);
  }
}

Node* insert_node(PassContext& context, Graph& graph, Node* before, std::string_view op,
                  std::vector<Value*> inputs, std::string_view output_name, Attributes attributes,
                  std::string_view domain) {
  while (!inputs.empty() && inputs.back() == nullptr) inputs.pop_back();
  Node* node =
      graph.add_node(std::string(op), std::move(inputs),
                     {output_name.empty() ? std::string("value") : std::string(output_name)},
                     std::move(attributes), std::string(domain), before);
  // Left unknown where inference cannot tell; the caller may know the type.
  if (!context.types.infer(*node).ok()) node->outputs[0]->type = {};
  return node;
}

Node* replace_node(PassContext& context, Node* old, std::string_view op, std::vector<Value*> inputs,
                   Attributes attributes, std::string_view domain) {
  Value* output = old->outputs[0];
  Node* node = insert_node(context, *old->graph, old, op, std::move(inputs), output->name,
                           std::move(attributes), domain);
  node->name = old->name;
  node->outputs[0]->type = merged(output->type, node->outputs[0]->type);
  old->graph->replace_uses(output, node->outputs[0]);
  erase_if_dead(old);
  return node;
}

Value* add_int_constant(Graph& graph, std::string_view name, const std::vector<int64_t>& elements) {
  return graph.add_constant(std::string(name),
                            Tensor::of<int64_t>({static_cast<int64_t>(elements.size())}, elements));
}

Attributes make_attributes(
    std::initializer_list<std::pair<std::string_view, AttributeValue>> list) {
  Attributes attributes;
  for (const auto& [name, value] : list) attributes.set(std::string(name), value);
  return attributes;
}

std::optional<std::vector<double>> float_elements(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::kFloat16:
    case DType::kBfloat16:
    case DType::kFloat32:
    case DType::kFloat64: break;
    default: return std::nullopt;
  }
  auto elements = tensor.to_doubles();
  if (!elements.ok()) return std::nullopt;
  return *std::move(elements);
}

Result<Tensor> float_tensor(DType dtype, Dims dims, const std::vector<double>& elements) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(dtype, std::move(dims)));
  EDGEWRIGHT_CHECK(static_cast<size_t>(tensor.element_count()) == elements.size());
  const auto store = [&]<class T>(T* out) {
    for (size_t i = 0; i < elements.size(); ++i) {
      if constexpr (std::is_arithmetic_v<T>) {
        out[i] = static_cast<T>(elements[i]);
      } else {
        out[i] = T(static_cast<float>(elements[i]));
      }
    }
  };
  switch (dtype) {
    case DType::kFloat16: store(tensor.mutable_data<Half>()); break;
    case DType::kBfloat16: store(tensor.mutable_data<Bfloat16>()); break;
    case DType::kFloat32: store(tensor.mutable_data<float>()); break;
    case DType::kFloat64: store(tensor.mutable_data<double>()); break;
    default: return internal_error("{} is not a floating-point type", dtype_name(dtype));
  }
  return tensor;
}

}  // namespace edgewright
