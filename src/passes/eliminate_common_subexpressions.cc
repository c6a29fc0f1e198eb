// Before: two nodes with the same operator, attributes and inputs; two equal constants.
// After: one. Conditions: the operator is deterministic and has no subgraphs; the first stands in
// the same graph or in one around it.
#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>

#include "base/file.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

using Hash = uint64_t;

constexpr std::array<std::string_view, 7> kRandom = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    "Multinomial",  "Bernoulli",        "Dropout"};
constexpr std::array<std::string_view, 11> kCommutative = {
    "Add", "Mul", "And",        "Or",        "Xor",       "Equal",
    "Max", "Min", "BitwiseAnd", "BitwiseOr", "BitwiseXor"};
// Of a longer constant only the first and last bytes are hashed.
constexpr size_t kHashedBytes = 1024;

Hash mix(Hash seed, Hash value) {
  return (seed ^ (value + 0x9e3779b97f4a7c15u + (seed << 6) + (seed >> 2))) * 0xff51afd7ed558ccdu;
}
Hash hash_text(std::string_view text) { return std::hash<std::string_view>{}(text); }

Hash hash_tensor(const Tensor& tensor) {
  Hash hash = mix(static_cast<Hash>(tensor.dtype()), static_cast<Hash>(tensor.element_count()));
  for (const int64_t dim : tensor.dims()) hash = mix(hash, static_cast<Hash>(dim));
  if (tensor.dtype() == DType::kString) return hash;
  const size_t size = tensor.size_bytes();
  const size_t head = std::min(size, kHashedBytes), tail = std::min(size - head, kHashedBytes);
  const auto* bytes = reinterpret_cast<const char*>(tensor.bytes());
  hash = mix(hash, hash_text({bytes, head}));
  return mix(hash, hash_text({bytes + size - tail, tail}));
}

Hash hash_attribute(const AttributeValue& value) {
  Hash hash = value.index();
  if (const auto* number = std::get_if<int64_t>(&value))
    return mix(hash, static_cast<Hash>(*number));
  if (const auto* text = std::get_if<std::string>(&value)) return mix(hash, hash_text(*text));
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) {
    for (const int64_t number : *list) hash = mix(hash, static_cast<Hash>(number));
  }
  return hash;
}

// Inputs in an order that does not matter are compared in the order of their addresses.
std::vector<Value*> ordered_inputs(const Node& node) {
  std::vector<Value*> inputs = node.inputs;
  const bool commutes = node.domain == "" && inputs.size() == 2 &&
                        std::ranges::find(kCommutative, node.op) != kCommutative.end();
  if (commutes && std::less<>{}(inputs[1], inputs[0])) std::swap(inputs[0], inputs[1]);
  return inputs;
}

Hash hash_node(const Node& node) {
  Hash hash = mix(hash_text(node.op), hash_text(node.domain));
  for (const Value* input : ordered_inputs(node)) hash = mix(hash, reinterpret_cast<Hash>(input));
  for (const auto& [name, value] : node.attributes) {
    hash = mix(mix(hash, hash_text(name)), hash_attribute(value));
  }
  return hash;
}

bool same_node(const Node& a, const Node& b) {
  return a.op == b.op && a.domain == b.domain && a.overload == b.overload &&
         a.outputs.size() == b.outputs.size() && ordered_inputs(a) == ordered_inputs(b) &&
         equal(a.attributes, b.attributes);
}

bool eligible(const Node& node) {
  return node.subgraphs.empty() && !node.outputs.empty() &&
         std::ranges::find(kRandom, node.op) == kRandom.end();
}

// The values and nodes seen in one graph and those around it.
struct Scope {
  const Scope* outer = nullptr;
  std::unordered_multimap<Hash, Node*> nodes;
  std::unordered_multimap<Hash, Value*> constants;

  Node* find_node(Hash hash, const Node& node) const {
    const auto [first, last] = nodes.equal_range(hash);
    const auto it = std::find_if(first, last,
                                 [&](const auto& entry) { return same_node(*entry.second, node); });
    if (it != last) return it->second;
    return outer == nullptr ? nullptr : outer->find_node(hash, node);
  }
  Value* find_constant(Hash hash, const Tensor& tensor) const {
    const auto [first, last] = constants.equal_range(hash);
    const auto it = std::find_if(
        first, last, [&](const auto& entry) { return identical(*entry.second->constant, tensor); });
    if (it != last) return it->second;
    return outer == nullptr ? nullptr : outer->find_constant(hash, tensor);
  }
};

bool merge_constants(Graph& graph, Scope& scope) {
  bool changed = false;
  for (Value& value : graph.values()) {
    if (!value.is_constant() || value.uses.empty() || value.is_graph_input()) continue;
    const Hash hash = hash_tensor(*value.constant);
    Value* first = scope.find_constant(hash, *value.constant);
    // Comparing may have brought gigabytes of weights into memory.
    if (first != nullptr && value.constant->dtype() != DType::kString) {
      MappedFile::release_pages(value.constant->byte_span());
      MappedFile::release_pages(first->constant->byte_span());
    }
    if (first == nullptr) {
      scope.constants.emplace(hash, &value);
    } else if (!value.is_graph_output()) {
      graph.replace_uses(&value, first);
      changed = true;
    }
  }
  return changed;
}

bool merge_node(Node& node, Node& first, PassContext& context) {
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == nullptr) continue;
    if (first.outputs[i] == nullptr || !can_replace(node.outputs[i], first.outputs[i]))
      return false;
  }
  if (!context.allow(node)) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != nullptr) replace_value(node.outputs[i], first.outputs[i]);
  }
  erase_if_dead(&node);
  return true;
}

bool merge_graph(Graph& graph, const Scope* outer, PassContext& context) {
  Scope scope{outer, {}, {}};
  bool changed = merge_constants(graph, scope);
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it++;
    for (auto& [attribute, body] : node.subgraphs) changed |= merge_graph(*body, &scope, context);
    if (!eligible(node)) continue;
    const Hash hash = hash_node(node);
    Node* first = scope.find_node(hash, node);
    if (first == nullptr) {
      scope.nodes.emplace(hash, &node);
    } else {
      changed |= merge_node(node, *first, context);
    }
  }
  return changed;
}

}  // namespace

Result<bool> eliminate_common_subexpressions(Graph& graph, PassContext& context) {
  return merge_graph(graph, nullptr, context);
}

}  // namespace edgewright
