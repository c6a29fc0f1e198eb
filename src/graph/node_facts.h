#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// What rewrites and writers ask of nodes and values.

// The dimensions of a value whose dimensions are all known.
Dims dims_of(const Value* value);
bool has_constant(const Node& node, size_t index);
// The constant integers at an input; none where it is no constant, or none of integers.
std::vector<int64_t> constant_ints(const Node& node, size_t index);
// The attribute `axis`, counted from the front.
int64_t axis_of(const Node& node, int64_t otherwise, size_t rank);
// The order of axes that a Transpose of that rank makes; without the attribute they are reversed.
std::vector<int64_t> permutation_of(const Node& transpose, size_t rank);
// "Conv", "com.microsoft::FusedConv".
std::string full_operator_name(std::string_view domain, std::string_view op);

}  // namespace edgewright
