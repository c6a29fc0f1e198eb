#include "formats/onnx/opset_downgrades.h"

#include <onnx/defs/data_type_utils.h>

#include <algorithm>
#include <map>

#include "formats/onnx/export_graph.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/schema_context.h"
#include "formats/onnx/schema_functions.h"

namespace edgewright::onnx_io {
namespace {

// Bodies of functions are made of functions in turn, a few levels deep.
constexpr int kMaxExpansions = 8;

std::string describe(const Node& node) {
  const bool named = !node.name.empty() || node.output(0) == nullptr;
  return fmt::format("node '{}' ({})", named ? node.name : node.output(0)->name, node.op);
}

const onnx::OpSchema* schema_at(const std::string& op, int opset) {
  const onnx::OpSchema* schema = onnx::OpSchemaRegistry::Schema(op, opset, "");
  return schema == nullptr || schema->deprecated() ? nullptr : schema;
}

bool is_default(const AttributeValue& value, const onnx::AttributeProto& fallback) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return fallback.has_i() && fallback.i() == *integer;
  }
  if (const auto* real = std::get_if<float>(&value)) {
    return fallback.has_f() && fallback.f() == *real;
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return fallback.has_s() && fallback.s() == *text;
  }
  return false;
}

// Dilations have no default in the schema: their length is that of the kernel.
bool is_neutral(const std::string& name, const AttributeValue& value) {
  const auto* integers = std::get_if<std::vector<int64_t>>(&value);
  return name == "dilations" && integers != nullptr &&
         std::ranges::all_of(*integers, [](int64_t dilation) { return dilation == 1; });
}

Status drop_younger_attributes(Node& node, const onnx::OpSchema& schema,
                               const onnx::OpSchema& canonical) {
  std::vector<std::string> dropped;
  for (const auto& [name, value] : node.attributes) {
    if (schema.attributes().contains(name)) continue;
    const auto known = canonical.attributes().find(name);
    const bool has_default =
        known != canonical.attributes().end() && is_default(value, known->second.default_value);
    if (!has_default && !is_neutral(name, value)) {
      return unsupported("attribute '{}' has no meaning there", name);
    }
    dropped.push_back(name);
  }
  for (const std::string& name : dropped) node.attributes.erase(name);
  return {};
}

// For most operators axes that count from the end came with opset 11.
Status count_axes_from_front(Node& node) {
  const Value* measure = node.is("Unsqueeze") ? node.output(0) : node.input(0);
  const bool known = measure != nullptr && measure->type.is_tensor() && measure->type.shape;
  const int64_t rank = known ? static_cast<int64_t>(measure->type.shape->size()) : 0;
  std::vector<int64_t> axes = node.attributes.get_ints("axes");
  const int64_t axis = node.attributes.get_int("axis", 0);
  const bool negative = axis < 0 || std::ranges::any_of(axes, [](int64_t a) { return a < 0; });
  if (!negative) return {};
  if (!known) return unsupported("a negative axis of an unknown rank");
  if (axis < 0) node.attributes.set("axis", axis + rank);
  for (int64_t& a : axes) a += a < 0 ? rank : 0;
  if (!axes.empty()) node.attributes.set("axes", axes);
  return {};
}

// Whether the types of values are those that the schema allows, equal where it wants them equal.
class TypeCheck {
 public:
  explicit TypeCheck(const onnx::OpSchema& schema) : schema_(schema) {}

  Status check(const std::vector<Value*>& values,
               const std::vector<onnx::OpSchema::FormalParameter>& formals, const char* what) {
    for (size_t i = 0; i < values.size() && !formals.empty(); ++i) {
      if (values[i] == nullptr) continue;
      const auto& formal = formals[std::min(i, formals.size() - 1)];
      EDGEWRIGHT_TRY(check_value(*values[i], formal, what));
    }
    return {};
  }

 private:
  Status check_value(const Value& value, const onnx::OpSchema::FormalParameter& formal,
                     const char* what) {
    if (value.type.kind == ValueType::Kind::kUnknown || value.type.dtype == DType::kUndefined) {
      return {};
    }
    onnx::TypeProto proto;
    to_type_proto(value.type, proto);
    const onnx::DataType type = onnx::Utils::DataTypeUtils::ToType(proto);
    if (!formal.GetTypes().contains(type)) {
      return unsupported("{} '{}' may not be {} there", what, formal.GetName(), *type);
    }
    if (!formal.GetIsHomogeneous() || !schema_.typeConstraintMap().contains(formal.GetTypeStr())) {
      return {};
    }
    const auto [it, first] = bound_.emplace(formal.GetTypeStr(), type);
    if (!first && it->second != type) {
      return unsupported("{} '{}' must be {} there, not {}", what, formal.GetName(), *it->second,
                         *type);
    }
    return {};
  }

  const onnx::OpSchema& schema_;
  std::map<std::string, onnx::DataType> bound_;
};

// Whether the node is one of the older schema.
Status check_node(const Node& node, const onnx::OpSchema& schema) {
  try {
    onnx::NodeProto proto;
    GraphExporter().fill_node(node, proto);
    schema.Verify(proto);
    TypeCheck types(schema);
    EDGEWRIGHT_TRY(types.check(node.inputs, schema.inputs(), "input"));
    return types.check(node.outputs, schema.outputs(), "output");
  } catch (const std::exception& exception) {
    return unsupported("{}", exception.what());
  }
}

class Downgrader {
 public:
  Downgrader(int opset, bool onnx_runtime) : opset_(opset), onnx_runtime_(onnx_runtime) {}

  Status downgrade(Graph& graph) { return downgrade(graph, graph.node_list(), 0); }

 private:
  // Where a node stands, to find what was put in its place or around it.
  class Place {
   public:
    Place(Graph& graph, const Node& node)
        : graph_(graph),
          at_front_(node.position == graph.nodes().begin()),
          before_(at_front_ ? node.position : std::prev(node.position)),
          behind_(std::next(node.position)) {}
    std::vector<Node*> nodes_other_than(const Node* known) const {
      std::vector<Node*> found;
      for (auto it = at_front_ ? graph_.nodes().begin() : std::next(before_); it != behind_; ++it) {
        if (&*it != known) found.push_back(&*it);
      }
      return found;
    }

   private:
    Graph& graph_;
    bool at_front_;
    std::list<Node>::iterator before_, behind_;
  };

  Status downgrade(Graph& graph, const std::vector<Node*>& nodes, int depth) {
    for (Node* node : nodes) {
      for (auto& [name, subgraph] : node->subgraphs) EDGEWRIGHT_TRY(downgrade(*subgraph));
      if (node->domain.empty()) EDGEWRIGHT_TRY(downgrade_node(graph, node, depth));
    }
    return {};
  }

  Status downgrade_node(Graph& graph, Node* node, int depth) {
    if (schema_of(*node) == nullptr) return {};  // nobody's operator stays as it is
    if (onnx_runtime_ && opset_ < 17 && node->op == "LayerNormalization") return {};
    const std::string where = describe(*node);
    const Place place(graph, *node);
    bool changed = false;
    Status status = lower(node, changed);
    if (status.ok()) return downgrade(graph, place.nodes_other_than(node), depth);
    if (!changed && depth < kMaxExpansions && status.error().kind == ErrorKind::kUnsupported) {
      EDGEWRIGHT_ASSIGN(const bool expanded, expand_function(graph, *node));
      if (expanded) return downgrade(graph, place.nodes_other_than(nullptr), depth + 1);
    }
    return std::move(status).error().at(where);
  }

  // Applies what lies between the canonical opset and the target.
  Status lower(Node*& node, bool& changed) const {
    const onnx::OpSchema* canonical = schema_of(*node);
    for (int version = kCanonicalOpset; version > opset_; --version) {
      for (const DowngradeAdapter& row : downgrade_adapters()) {
        if (row.version != version || row.op != node->op) continue;
        EDGEWRIGHT_TRY(row.adapt(node));
        changed = true;
        break;
      }
    }
    const onnx::OpSchema* schema = schema_at(node->op, opset_);
    if (schema == nullptr) return unsupported("opset {} does not have the operator", opset_);
    EDGEWRIGHT_TRY(drop_younger_attributes(*node, *schema, *canonical));
    if (opset_ < 11) EDGEWRIGHT_TRY(count_axes_from_front(*node));
    return check_node(*node, *schema);
  }

  int opset_;
  bool onnx_runtime_;
};

// The versions of domains whose nodes were upgraded, or whose old operators the newest lacks.
void settle_ml_version(Model& model) {
  const auto it = model.domain_versions.find("ai.onnx.ml");
  if (it == model.domain_versions.end()) return;
  for_each_node(*model.graph, [&](const Node& node) {
    if (node.is("LabelEncoder", "ai.onnx.ml")) it->second = std::max(it->second, 2);
  });
}

}  // namespace

Status downgrade(Model& model, int opset, bool onnx_runtime) {
  settle_ml_version(model);
  if (opset == kCanonicalOpset) return {};
  return Downgrader(opset, onnx_runtime).downgrade(*model.graph);
}

}  // namespace edgewright::onnx_io
