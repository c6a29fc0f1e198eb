#include "passes/normalization.h"

#include <algorithm>

#include "passes/rewrite.h"

namespace edgewright {
namespace {

// The first of the normalised axes when these are the last ones, counted from the back.
std::optional<int64_t> trailing_axis(const Node* mean, const Value* x) {
  if (mean->attributes.get_int("keepdims", 1) == 0) return std::nullopt;
  const auto rank = rank_of(x);
  auto axes = int_constant(mean->input(1));
  if (!rank || !axes || axes->empty()) return std::nullopt;
  axes = normalised_axes(*axes, *rank);
  if (!axes) return std::nullopt;
  std::ranges::sort(*axes);
  const auto first = static_cast<int64_t>(*rank - axes->size());
  for (size_t i = 0; i < axes->size(); ++i) {
    if ((*axes)[i] != first + static_cast<int64_t>(i)) return std::nullopt;
  }
  return first - static_cast<int64_t>(*rank);
}

// Whether the value has exactly the shape of the axes of x from `axis` on.
bool has_axes_shape(const Value* value, const Value* x, int64_t axis) {
  const auto count = static_cast<size_t>(-axis);
  if (rank_of(value) != count) return false;
  const Shape& shape = *x->type.shape;
  for (size_t i = 0; i < count; ++i) {
    const Dim& dim = (*value->type.shape)[i];
    if (dim != shape[shape.size() - count + i] || (!dim.is_known() && dim.symbol.empty())) {
      return false;
    }
  }
  return true;
}

// The operand other than `value` of the only user, when that is this operation.
const Value* joining_operand(const Value* value, std::string_view op) {
  const Node* user = single_user(value);
  if (user == nullptr || !user->is(op) || user->graph != value->graph) return nullptr;
  return user->input(user->input(0) == value ? 1 : 0);
}

// Whether the pattern goes on behind the root, so that the match has to wait for a later root.
bool goes_on(const Node& root, const Match& match, const Normalization& found, bool with_shift) {
  const Value* output = root.output(0);
  if (found.shift != nullptr) return false;
  if (found.scale == nullptr) {
    if (Node* cast = single_user(output); cast != nullptr && cast->is("Cast")) {
      output = cast->output(0);
    }
  }
  const Value* operand = joining_operand(output, found.scale == nullptr ? "Mul" : "Add");
  if (operand == nullptr || (found.scale != nullptr && !with_shift)) return false;
  return has_axes_shape(operand, match["x"], found.axis);
}

// The value before a widening Cast whose opposite follows the normalisation.
Value* before_cast(const Match& match, DType result) {
  Value* x = match["x"];
  const Node* cast = producer(x, "Cast");
  const bool inside = cast != nullptr && dtype_of(x) == DType::kFloat32 &&
                      dtype_of(cast->input(0)) == result && dtype_bits(result) == 16;
  return inside ? cast->input(0) : x;
}

}  // namespace

std::optional<Normalization> read_normalization(const Node& root, const Match& match,
                                                bool with_shift) {
  Value* x = match["x"];
  const auto axis = trailing_axis(match.node("m"), x);
  const auto epsilon = scalar_constant(match["e"]);
  if (!axis || !epsilon || *epsilon < 0 || !is_floating_point(dtype_of(x))) return std::nullopt;
  Normalization found{x, match["g"], with_shift ? match["b"] : nullptr, *axis,
                      static_cast<float>(*epsilon)};
  if (found.scale != nullptr && !has_axes_shape(found.scale, x, *axis)) return std::nullopt;
  if (found.shift != nullptr && !has_axes_shape(found.shift, x, *axis)) return std::nullopt;
  if (goes_on(root, match, found, with_shift)) return std::nullopt;
  const DType result = dtype_of(root.output(0));
  if (result != dtype_of(x)) found.x = before_cast(match, result);
  if (dtype_of(found.x) != result) return std::nullopt;
  return found;
}

Result<Value*> add_unit_scale(Graph& graph, const Normalization& normalization) {
  const Shape& shape = *normalization.x->type.shape;
  Dims ones;
  for (size_t i = shape.size() + static_cast<size_t>(normalization.axis); i < shape.size(); ++i) {
    if (!shape[i].is_known()) return static_cast<Value*>(nullptr);
    ones.push_back(shape[i].value);
  }
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(ones));
  EDGEWRIGHT_ASSIGN(Tensor tensor,
                    float_tensor(dtype_of(normalization.x), ones,
                                 std::vector<double>(static_cast<size_t>(count), 1.0)));
  return graph.add_constant("unit_scale", std::move(tensor));
}

}  // namespace edgewright
