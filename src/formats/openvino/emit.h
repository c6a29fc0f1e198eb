#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/openvino/ir.h"
#include "formats/openvino/openvino.h"
#include "graph/operator_rows.h"

namespace edgewright::openvino_ir {

// Turns a graph into layers: values become endpoints, and every operator calls add() for its layers
// and give() for its outputs.
class Emitter {
 public:
  explicit Emitter(const OpenvinoOptions& options) : options_(options) {}

  Result<Ir> run(const Graph& graph, const std::string& name);

  // Input `index` of a node, which must be there. A constant becomes a layer when it is asked for.
  Endpoint input(const Node& node, size_t index) { return value(node.inputs[index]); }
  Endpoint value(const Value* value);
  Endpoint constant(const Tensor& tensor, std::string name = "");
  Endpoint ints(const std::vector<int64_t>& values);  // int64, rank 1
  Endpoint integer(int64_t value);                    // int64, rank 0
  // A constant of the element type of `like`, rank 0.
  Endpoint number(double value, DType like);

  // A layer with one output of this type. Its name is made from the node's first output.
  Endpoint add(const Node& node, std::string_view type, std::string_view version,
               std::vector<Endpoint> inputs, LayerData data, ValueType output);
  // The same with two outputs; returns the first.
  Endpoint add_two(const Node& node, std::string_view type, std::string_view version,
                   std::vector<Endpoint> inputs, LayerData data, ValueType first, ValueType second);
  // A layer with the node's own outputs, all of which it gives.
  void add_whole(const Node& node, std::string_view type, std::string_view version,
                 std::vector<Endpoint> inputs, LayerData data = {});
  // The same for all but the first output's type, which is the node's: add() and give().
  void finish(const Node& node, std::string_view type, std::string_view version,
              std::vector<Endpoint> inputs, LayerData data = {});
  // Element-wise sums, products and the like of two endpoints, with NumPy's broadcasting.
  Endpoint binary(const Node& node, std::string_view type, Endpoint a, Endpoint b);
  Endpoint convert(const Node& node, Endpoint from, DType dtype);
  Endpoint reshape(const Node& node, Endpoint from, const std::vector<int64_t>& dims);

  // Output `index` of the node is this endpoint.
  void give(const Node& node, size_t index, Endpoint endpoint);
  // Whether the value has its endpoint already.
  bool has(const Value* value) const { return endpoints_.contains(value); }

  ValueType type(Endpoint endpoint) const;

 private:
  Endpoint append(Layer layer);
  std::string inner_name(const Node& node, std::string_view type);
  Status add_inputs(const Graph& graph);
  Endpoint add_parameter(const Value* input);
  void add_state(const Value* input, const Graph& graph);
  void add_results(const Graph& graph);

  OpenvinoOptions options_;
  Ir ir_;
  std::map<const Value*, Endpoint> endpoints_;
  std::map<std::string, int> inner_names_;
  std::map<const Value*, const Value*> states_;  // input -> the output that it is next time
};

using EmitRow = OperatorRow<Emitter>;

// One table per family, each in the file of its name.
std::span<const EmitRow> element_rows();
std::span<const EmitRow> window_rows();
std::span<const EmitRow> product_rows();
std::span<const EmitRow> movement_rows();
std::span<const EmitRow> index_rows();
std::span<const EmitRow> reduction_rows();
std::span<const EmitRow> quantization_rows();

// Null when the writer has no form for the node.
const EmitRow* find_row(const Node& node);

// "1,2,3".
std::string list(const std::vector<int64_t>& values);
std::string flag(bool value);        // "true"
size_t rank_of(const Value* value);  // 0 when unknown
bool has_rank(const Value* value);

}  // namespace edgewright::openvino_ir
