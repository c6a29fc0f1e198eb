#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/type.h"
#include "tensor/attributes.h"

namespace edgewright {

// Every ai.onnx node inside the program has the meaning of this opset; importing and exporting
// translate (see formats/onnx).
inline constexpr int kCanonicalOpset = 28;

class Graph;
struct Node;

// One input position of one node.
struct Use {
  Node* node = nullptr;
  size_t index = 0;
  bool operator==(const Use&) const = default;
};

// A value of a graph: an input, a constant (initialiser) or the output of a node. Values live as
// long as their graph unless erased. Nodes of nested subgraphs may use values of enclosing graphs.
struct Value {
  std::string name;
  ValueType type;
  Graph* graph = nullptr;    // the graph that owns it
  Node* producer = nullptr;  // null for inputs and constants
  size_t output_index = 0;
  std::optional<Tensor> constant;  // set for initialisers
  std::vector<Use> uses;           // inputs of nodes, in this graph and its subgraphs
  std::list<Value>::iterator position;

  bool is_constant() const { return constant.has_value(); }
  bool is_graph_input() const;
  bool is_graph_output() const;
};

// One operation. An omitted optional input or output is a null pointer. Change inputs only through
// Graph, which keeps the uses right; attributes and names may be changed freely.
struct Node {
  std::string name;
  std::string domain;  // "" is ai.onnx
  std::string op;
  std::string overload;
  Attributes attributes;
  std::vector<Value*> inputs;
  std::vector<Value*> outputs;
  // Graph attributes (then_branch, else_branch, body), in the order of their names.
  std::vector<std::pair<std::string, std::unique_ptr<Graph>>> subgraphs;
  Graph* graph = nullptr;
  std::list<Node>::iterator position;

  bool is(std::string_view op_name, std::string_view op_domain = "") const {
    return op == op_name && domain == op_domain;
  }
  Value* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  Value* output(size_t i) const { return i < outputs.size() ? outputs[i] : nullptr; }
  // The constant tensor at input i, or null.
  const Tensor* constant_input(size_t i) const {
    const Value* value = input(i);
    return value != nullptr && value->is_constant() ? &*value->constant : nullptr;
  }
  Graph* subgraph(std::string_view attribute) const;
};

// A dataflow graph in topological order: a node stands after the producers of its inputs.
class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph();

  std::string name;
  Node* parent = nullptr;  // the node whose subgraph this is; null for the main graph

  // Iteration order is execution order. Erasing the current node invalidates its iterator only.
  std::list<Node>& nodes() { return nodes_; }
  const std::list<Node>& nodes() const { return nodes_; }
  // The nodes now, for passes that insert and erase while they walk.
  std::vector<Node*> node_list();
  std::list<Value>& values() { return values_; }
  const std::list<Value>& values() const { return values_; }
  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Value*>& outputs() const { return outputs_; }

  // Values. An empty or taken name is replaced by a fresh one derived from it.
  Value* add_input(std::string name, ValueType type);
  Value* add_constant(std::string name, Tensor tensor);
  void remove_input(size_t index);             // the value must have no uses left
  void make_constant(Value* value, Tensor t);  // turns an input or a node's output into a constant
  void add_output(Value* value) { outputs_.push_back(value); }
  void set_output(size_t index, Value* value) { outputs_[index] = value; }
  void set_outputs(std::vector<Value*> values) { outputs_ = std::move(values); }
  // A name that no value of this graph or of the graphs around it has.
  std::string fresh_name(std::string_view base);
  Value* find_value(std::string_view name);  // in this graph only; null when absent
  void rename(Value* value, std::string name);

  // Appends (or inserts before `before`) a node with `output_count` fresh outputs named after
  // `output_names` where given; an empty output name makes an omitted (null) output.
  Node* add_node(std::string op, std::vector<Value*> inputs, std::vector<std::string> output_names,
                 Attributes attributes = {}, std::string domain = "", Node* before = nullptr);
  // The node must have no uses of its outputs left and give no graph output. Its outputs go too.
  void erase(Node* node);
  // Removes a constant without uses.
  void erase_constant(Value* value);
  void set_input(Node* node, size_t index, Value* value);  // extends the inputs when needed
  void remove_trailing_omitted_inputs(Node* node);
  // Adds or drops outputs of a node; a dropped one must be unused.
  Value* add_node_output(Node* node, std::string name);
  void drop_node_output(Node* node, size_t index);
  // Every use of `from`, graph outputs of its own graph included, becomes a use of `to`. With
  // `keep_name` the two exchange their names (inputs, constants and outputs keep theirs): a rewrite
  // replaces a value by one that equals it, so a name always means the same contents, and layers
  // can be compared by name after any number of rewrites.
  void replace_uses(Value* from, Value* to, bool keep_name = true);
  Graph* add_subgraph(Node* node, std::string attribute);
  void move_before(Node* node, Node* before);
  // Restores topological order after edits; fails on a cycle, naming a node in it.
  Status sort_topologically();
  // Drops nodes whose outputs nobody uses, and unused constants. Returns how many nodes went.
  size_t remove_dead();

 private:
  Value* new_value(std::string name);
  void drop_value(Value* value);
  bool name_taken(const std::string& name) const;

  std::list<Node> nodes_;
  std::list<Value> values_;
  std::map<std::string, Value*, std::less<>> by_name_;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
  std::map<std::string, int, std::less<>> next_suffix_;
};

// Calls visit for every node, subgraphs included, outer nodes first.
void for_each_node(Graph& graph, const std::function<void(Node&)>& visit);
void for_each_node(const Graph& graph, const std::function<void(const Node&)>& visit);
size_t count_nodes(const Graph& graph);  // subgraphs included
// A deep copy; tensors are shared.
std::unique_ptr<Graph> clone(const Graph& graph);
// Copies the nodes and constants of a body into another graph before a node (null: at the end), the
// arguments in place of the body's inputs; tensors are shared. Returns what the body's outputs have
// become. The values that the body captures must be visible there.
std::vector<Value*> inline_graph(const Graph& body, std::span<Value* const> arguments,
                                 Graph& target, Node* before);

// A graph with what surrounds it in a model file.
struct Model {
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  // The opset that the file had for ai.onnx, and the versions of other domains.
  int source_opset = kCanonicalOpset;
  std::map<std::string, int> domain_versions;
  int ir_version = 0;
  std::string producer_name, producer_version, documentation;
  std::map<std::string, std::string> metadata;
};
Model clone(const Model& model);

// Every broken rule of a well-formed graph: order, uses, names, owners, dangling pointers.
std::vector<std::string> violations(const Graph& graph);

// Runs single nodes on constant inputs: constant folding and calibration take it from above.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  // Outputs in order (empty tensors for omitted ones). kUnsupported when the operator is unknown.
  virtual Result<std::vector<Tensor>> evaluate(const Node& node,
                                               std::span<const Tensor* const> inputs) = 0;
};

// Knows the output types of operators.
class TypeInferer {
 public:
  virtual ~TypeInferer() = default;
  // Sets the types of the outputs of one node (and inside its subgraphs) from its inputs, its
  // attributes and constants; what is not known stays as it is. Fails on contradictions.
  virtual Status infer(Node& node) const = 0;
  // The whole graph in order, with values of small integer tensors (shapes) carried along.
  virtual Status infer(Graph& graph) const = 0;
};

}  // namespace edgewright
