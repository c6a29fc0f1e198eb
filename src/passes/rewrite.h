#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "graph/node_facts.h"
#include "passes/pass.h"

// What the passes share: walking, matching, editing and the arithmetic of constants.
namespace edgewright {

// ---- Walking ----

// Tries to rewrite one node; true when the graph changed. It may erase the node itself and nodes
// before it, never nodes after it.
using NodeRewrite = FunctionRef<Result<bool>(Graph& graph, Node& node)>;
// Calls the rewrite for every node with this operator (empty: every node) of the graph and its
// subgraphs in order. Nodes that the rewrite inserts are not visited.
Result<bool> rewrite_nodes(Graph& graph, std::string_view op, NodeRewrite rewrite);

// ---- Matching ----

// The node that makes the value, if it has this operator (and domain); else null.
Node* producer(const Value* value, std::string_view op, std::string_view domain = "");
// Used by exactly one input of one node and not a graph output: the value vanishes with that use.
bool has_single_use(const Value* value);
// The only node that uses the value and vanishes with it, or null.
Node* single_user(const Value* value);
// Rank, element type and dimensions, as far as they are known.
std::optional<size_t> rank_of(const Value* value);
DType dtype_of(const Value* value);
std::optional<Dims> static_dims(const Value* value);  // all dimensions are numbers
// Same known shape: equal numbers or equal non-empty symbols everywhere.
bool same_shape(const Value* a, const Value* b);
// The constant as one number / as int64 elements; empty when it is none. An absent value is none.
std::optional<double> scalar_constant(const Value* value);
std::optional<std::vector<int64_t>> int_constant(const Value* value);
// Axes counted from the front; empty when one is out of range.
std::optional<std::vector<int64_t>> normalised_axes(std::vector<int64_t> axes, size_t rank);

// ---- Editing ----

// Whether every use of `from` may become a use of `to`: false when a graph output would lose its
// name or its owner.
bool can_replace(const Value* from, const Value* to);
// Makes every use of `from` a use of `to` and gives `to` the type of `from` where that says more.
// False, with nothing changed, when can_replace() is false.
bool replace_value(Value* from, Value* to);
// Erases the node if nothing uses it, then those before it that only it used.
void erase_if_dead(Node* node);
// A node with one output, put before `before` (null: at the end); its type is inferred.
Node* insert_node(PassContext& context, Graph& graph, Node* before, std::string_view op,
                  std::vector<Value*> inputs, std::string_view output_name,
                  Attributes attributes = {}, std::string_view domain = "");
// Replaces the node by a new one with one output: its uses, output name and type are handed over,
// the old node and what only it used go. The caller has asked allow().
Node* replace_node(PassContext& context, Node* old, std::string_view op, std::vector<Value*> inputs,
                   Attributes attributes = {}, std::string_view domain = "");
// Constants named after what they are for.
Value* add_int_constant(Graph& graph, std::string_view name, const std::vector<int64_t>& elements);
Attributes make_attributes(std::initializer_list<std::pair<std::string_view, AttributeValue>> list);

// ---- Arithmetic of constants: in double, rounded once to the element type ----

// Elements as double; empty for types other than float16, bfloat16, float32 and float64.
std::optional<std::vector<double>> float_elements(const Tensor& tensor);
Result<Tensor> float_tensor(DType dtype, Dims dims, const std::vector<double>& elements);

}  // namespace edgewright
