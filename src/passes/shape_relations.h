#pragma once

#include "passes/shape_values.h"

namespace edgewright {

// Whether the length of `axis` of `a` is that of `other_axis` of `b`: equal numbers, equal symbols,
// or the same axis of the same value.
bool same_dim(const Value* a, size_t axis, const Value* b, size_t other_axis);
// Whether the element is the length of `axis` of `a`.
bool is_dim(const ShapeElement& element, const Value* a, size_t axis);
// Whether output axis `axis` of a Reshape has the length of axis `other_axis` of `x`, as far as the
// types or its shape input tell.
bool reshapes_to_dim(const Node& reshape, size_t axis, const Value* x, size_t other_axis);
// The length of an axis where it is a number.
std::optional<int64_t> known_dim(const Value* value, size_t axis);

}  // namespace edgewright
