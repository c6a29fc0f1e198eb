#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// One element of a small integer tensor that is computed from shapes: a number, the name of a
// dimension, or a dimension of a value that is known only at run time.
struct ShapeElement {
  std::optional<int64_t> number;
  std::string symbol;             // where not empty: the dimension of that name
  const Value* source = nullptr;  // dimension `axis` of this value
  size_t axis = 0;

  // Both are known to be the same number at run time.
  bool equals(const ShapeElement& other) const;
};
using ShapeElements = std::vector<ShapeElement>;

// The length of an axis, traced back to the value that first had it; empty when the axis is not
// known to exist.
std::optional<ShapeElement> axis_length(const Value* value, size_t axis);

// What is known of the elements of scalars and vectors of integers, by following Shape, Gather,
// Slice, Concat, arithmetic and the like. Results are kept, so one object serves one unchanged
// graph.
class ShapeValues {
 public:
  // Null when nothing is known of how many elements there are. A scalar has one.
  const ShapeElements* find(const Value* value);

 private:
  std::optional<ShapeElements> reckon(const Value& value, int depth);
  const ShapeElements* find(const Value* value, int depth);
  std::optional<ShapeElements> reckon_node(const Node& node, int depth);
  std::optional<ShapeElements> gather(const Node& node, int depth);
  std::optional<ShapeElements> slice(const Node& node, int depth);
  std::optional<ShapeElements> concat(const Node& node, int depth);
  std::optional<ShapeElements> arithmetic(const Node& node, int depth);
  std::optional<ShapeElements> where(const Node& node, int depth);

  std::unordered_map<const Value*, std::optional<ShapeElements>> known_;
};

}  // namespace edgewright
