// Before: y = x cos + rotate(x) sin, where x = [a, b] along the last axis, rotate(x) = [-b, a] and
//         the angles of cos and sin are the same f twice, [f, f], for all heads.
// After:  y = RotaryEmbedding(x, Cos(f), Sin(f)) (ai.onnx 23).
// Conditions: x is [batch, heads, sequence, size] cut in the middle; f is [batch, sequence, half].
// Not in the plan dialect, whose element-wise programs do this. Source of the formula: Su et al.,
// "RoFormer".
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"
#include "passes/shape_relations.h"

namespace edgewright {
namespace {

// The half of x that a Slice or a two-part Split takes: 0 or 1; empty when it is neither.
std::optional<int> half_of(const Value* value, const Value* x) {
  const auto size = known_dim(x, 3);
  if (!size || *size % 2 != 0 || value->producer == nullptr) return std::nullopt;
  const Node& node = *value->producer;
  if (node.input(0) != x || known_dim(value, 3) != *size / 2) return std::nullopt;
  if (node.is("Split")) {
    const int64_t axis = node.attributes.get_int("axis", 0);
    if (node.outputs.size() != 2 || (axis != 3 && axis != -1)) return std::nullopt;
    return static_cast<int>(value->output_index);
  }
  const auto begin = int_constant(node.input(1)), axes = int_constant(node.input(3));
  const bool steps =
      node.input(4) == nullptr || int_constant(node.input(4)) == std::vector<int64_t>{1};
  if (!node.is("Slice") || !begin || !axes || !steps || begin->size() != 1 || axes->size() != 1 ||
      ((*axes)[0] != 3 && (*axes)[0] != -1)) {
    return std::nullopt;
  }
  const int64_t start = (*begin)[0] < 0 ? (*begin)[0] + *size : (*begin)[0];
  if (start == 0) return 0;
  return start == *size / 2 ? std::optional<int>(1) : std::nullopt;
}

// The angles behind a cosine or sine that is the same for all heads; null when it has another form.
Value* angles_of(Value* value, std::string_view function) {
  static const Pattern* const kOutside = new Pattern("&Cos|Sin(&Unsqueeze(&Concat(f, f), #a))");
  static const Pattern* const kInside = new Pattern("&Unsqueeze(&Cos|Sin(&Concat(f, f)), #a)");
  if (value->producer == nullptr) return nullptr;
  Node& node = *value->producer;
  const bool outside = !node.is("Unsqueeze");
  const Match match = (outside ? kOutside : kInside)->match(node);
  if (!match || int_constant(match["a"]) != std::vector<int64_t>{1}) return nullptr;
  const Node& wave = outside ? node : *node.input(0)->producer;
  const Node& concat = *(outside ? node.input(0)->producer->input(0) : wave.input(0))->producer;
  const int64_t axis = concat.attributes.get_int("axis", 0);
  if (!wave.is(function) || (axis != -1 && axis != 2) || rank_of(match["f"]) != size_t{3}) {
    return nullptr;
  }
  return match["f"];
}

bool is_concat_of_last_axis(const Node& node) {
  const int64_t axis = node.attributes.get_int("axis", 0);
  return axis == -1 || axis == 3;
}

// The angles f when the match is a rotation.
Value* rotation_angles(const Match& match) {
  const Value* x = match["x"];
  if (rank_of(x) != size_t{4} || !is_concat_of_last_axis(*match.node("r")) ||
      half_of(match["upper"], x) != 1 || half_of(match["lower"], x) != 0) {
    return nullptr;
  }
  Value* f = angles_of(match["c"], "Cos");
  if (f == nullptr || angles_of(match["s"], "Sin") != f) return nullptr;
  const bool fits = same_dim(f, 0, x, 0) && same_dim(f, 1, x, 2) &&
                    known_dim(f, 2) == *known_dim(x, 3) / 2 && dtype_of(f) == dtype_of(x);
  return fits ? f : nullptr;
}

}  // namespace

Result<bool> fuse_rotary_embedding(Graph& graph, PassContext& context) {
  static const Pattern* const kRotation =
      new Pattern("r = Concat(Neg(upper), lower); Add(Mul(x, c), Mul(r, s))");
  if (!context.may_use_opset(23) || context.options.dialect == Dialect::kPlan) return false;
  return rewrite_nodes(graph, "Add", [&](Graph& owner, Node& node) -> Result<bool> {
    const Match match = kRotation->match(node);
    Value* f = match ? rotation_angles(match) : nullptr;
    if (f == nullptr || !context.allow(node)) return false;
    const auto wave = [&](std::string_view function) {
      Value* output = insert_node(context, owner, &node, function, {f}, f->name)->output(0);
      output->type = f->type;
      return output;
    };
    Value* cosine = wave("Cos");
    Value* sine = wave("Sin");
    replace_node(context, &node, "RotaryEmbedding", {match["x"], cosine, sine});
    return true;
  });
}

}  // namespace edgewright
