#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

// Edits that opset adapters share.
namespace edgewright::onnx_io {

// The node after this one, or null at the end: where add_node puts what must follow.
Node* next_node(const Node& node);
// A constant of the node's graph named after the node's first output.
Value* constant_beside(Node& node, std::string_view suffix, Tensor tensor);
Value* ints_beside(Node& node, std::string_view suffix, const std::vector<int64_t>& values);
// A node with one output right before `node`.
Value* insert_before(Node& node, const char* op, std::vector<Value*> inputs,
                     Attributes attributes = {});
// Puts a node behind output `i`: it takes over the output's uses, name and type.
Node* append_to_output(Node& node, size_t i, const char* op, Attributes attributes = {});
// Moves an integer-list attribute to input `i` as a constant; false when the node has none.
bool move_ints_to_input(Node& node, std::string_view attribute, size_t i);
// The rank of an input, where it is known.
std::optional<int64_t> input_rank(const Node& node, size_t i);
Attributes with_attribute(std::string name, AttributeValue value);
// A constant floating-point scalar of the element type of input `i` (float32 when unknown).
Value* scalar_like_input(Node& node, size_t i, std::string_view suffix, double value);

}  // namespace edgewright::onnx_io
