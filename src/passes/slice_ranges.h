#pragma once

#include <optional>
#include <vector>

#include "passes/rewrite.h"

namespace edgewright {

// What a Slice takes of one axis: `count` elements from `start` by `step`.
struct SliceRange {
  int64_t start = 0;
  int64_t count = 0;
  int64_t step = 1;
};

// The ranges of a Slice with constant parameters on an input of known dimensions, one per axis.
std::optional<std::vector<SliceRange>> slice_ranges(const Node& slice);

// Inputs of a Slice that takes the ranges of data with these dimensions: data, starts, ends, axes
// and steps; axes that are taken whole are left out.
std::vector<Value*> slice_inputs(Graph& graph, Value* data, const Dims& dims,
                                 const std::vector<SliceRange>& ranges);

}  // namespace edgewright
