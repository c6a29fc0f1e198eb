#include "passes/shape_relations.h"

#include "passes/rewrite.h"

namespace edgewright {
bool is_dim(const ShapeElement& element, const Value* a, size_t axis) {
  const auto dim = axis_length(a, axis);
  return dim && element.equals(*dim);
}

bool same_dim(const Value* a, size_t axis, const Value* b, size_t other_axis) {
  const auto dim = axis_length(b, other_axis);
  return dim && is_dim(*dim, a, axis);
}

bool reshapes_to_dim(const Node& reshape, size_t axis, const Value* x, size_t other_axis) {
  if (same_dim(reshape.output(0), axis, x, other_axis)) return true;
  ShapeValues values;
  const ShapeElements* elements = values.find(reshape.input(1));
  if (elements == nullptr || axis >= elements->size()) return false;
  const ShapeElement& element = (*elements)[axis];
  const bool copies = element.number == 0 && reshape.attributes.get_int("allowzero", 0) == 0;
  return copies ? same_dim(reshape.input(0), axis, x, other_axis) : is_dim(element, x, other_axis);
}

std::optional<int64_t> known_dim(const Value* value, size_t axis) {
  const auto dim = axis_length(value, axis);
  return dim ? dim->number : std::nullopt;
}

}  // namespace edgewright
