// Before: the two heads of an anchor-based detector. For every level i of the image pyramid
//   a_i = Reshape(Transpose(Conv(x_i, V_i), NCHW to NHWC), [1, anchors, P]), A = Concat(a_i...)
//   b_i = Reshape(Transpose(Conv(z_i, W_i), NCHW to NHWC), [1, anchors, Q]), B = Concat(b_i...)
// After: one head, c_i = Reshape(Transpose(Conv(Concat(x_i, z_i), U_i)), [1, anchors, P + Q]), and
//   A, B = Split(Concat(c_i...), [P, Q]).
// The rows of U_i are those of V_i and W_i, alternating by anchor, with zeros where a row of V_i
// would see z_i or one of W_i x_i; with x_i = z_i there is neither a Concat nor a zero.
// Conditions: everything but A and B is used once; constant weights and biases, one group, equal
// windows and strides; at most 64 rows, so that multiplying by zeros costs little. In the plan
// dialect, where operators are cheap and work is not, only with x_i = z_i everywhere.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

constexpr int64_t kMaxRows = 64;

struct Branch {
  Node* convolution = nullptr;
  int64_t anchors_here = 0;  // per position
  int64_t columns = 0;       // P or Q
};

struct Level {
  Branch first, second;
};

bool plain_convolution(const Node& node) {
  const Tensor* weights = node.constant_input(1);
  return weights != nullptr && weights->rank() == 4 && node.constant_input(2) != nullptr &&
         node.attributes.get_int("group", 1) == 1 && float_elements(*node.constant_input(2));
}

// The convolution behind one part of a head's Concat.
std::optional<Branch> branch_of(const Value* part, const Graph& graph) {
  const Node* reshape = producer(part, "Reshape");
  if (reshape == nullptr || reshape->graph != &graph || !has_single_use(part)) return std::nullopt;
  const Node* transpose = producer(reshape->inputs[0], "Transpose");
  if (transpose == nullptr || !has_single_use(reshape->inputs[0])) return std::nullopt;
  if (permutation_of(*transpose, 4) != std::vector<int64_t>{0, 2, 3, 1}) return std::nullopt;
  Node* convolution = producer(transpose->inputs[0], "Conv");
  if (convolution == nullptr || !has_single_use(transpose->inputs[0])) return std::nullopt;
  const auto from = static_dims(transpose->inputs[0]), to = static_dims(part);
  if (!from || !to || from->size() != 4 || to->size() != 3 || (*from)[0] != 1) return std::nullopt;
  const int64_t columns = to->back();
  if (columns == 0 || (*from)[1] % columns != 0 || (*to)[0] != 1) return std::nullopt;
  if (!plain_convolution(*convolution)) return std::nullopt;
  return Branch{convolution, (*from)[1] / columns, columns};
}

bool same_window(const Node& a, const Node& b) {
  const Dims& p = a.constant_input(1)->dims();
  const Dims& q = b.constant_input(1)->dims();
  return std::equal(p.begin() + 2, p.end(), q.begin() + 2) && equal(a.attributes, b.attributes) &&
         dtype_of(a.output(0)) == dtype_of(b.output(0));
}

std::optional<std::vector<Level>> levels_of(const Node& a, const Node& b, Dialect dialect) {
  if (a.inputs.size() != b.inputs.size() || a.inputs.size() < 2) return std::nullopt;
  std::vector<Level> levels;
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    const auto p = branch_of(a.inputs[i], *a.graph), q = branch_of(b.inputs[i], *b.graph);
    if (!p || !q || p->anchors_here != q->anchors_here) return std::nullopt;
    if (!same_window(*p->convolution, *q->convolution)) return std::nullopt;
    const auto from = static_dims(p->convolution->inputs[0]),
               to = static_dims(q->convolution->inputs[0]);
    if (!from || !to || (*from)[2] != (*to)[2] || (*from)[3] != (*to)[3]) return std::nullopt;
    const bool shared = p->convolution->inputs[0] == q->convolution->inputs[0];
    if (!shared && dialect == Dialect::kPlan) return std::nullopt;
    if (p->anchors_here * (p->columns + q->columns) > kMaxRows) return std::nullopt;
    levels.push_back({*p, *q});
  }
  return levels;
}

// Copies the rows of one branch to where they alternate with the other's.
void place_rows(const Branch& branch, int64_t row_stride, int64_t first_row, size_t first_input,
                size_t row_elements, std::vector<double>& weights, std::vector<double>& biases) {
  const auto from = *float_elements(*branch.convolution->constant_input(1));
  const auto bias = *float_elements(*branch.convolution->constant_input(2));
  const size_t own = from.size() / bias.size();
  for (size_t row = 0; row < bias.size(); ++row) {
    const auto anchor = static_cast<int64_t>(row) / branch.columns;
    const auto target = static_cast<size_t>(anchor * row_stride + first_row +
                                            static_cast<int64_t>(row) % branch.columns);
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(row * own), own,
                weights.begin() + static_cast<std::ptrdiff_t>(target * row_elements + first_input));
    biases[target] = bias[row];
  }
}

// The merged level as far as its Reshape.
Result<Value*> merged_level(PassContext& context, Graph& graph, const Level& level, Node* before) {
  const Node& a = *level.first.convolution;
  const Node& b = *level.second.convolution;
  const Tensor& weights = *a.constant_input(1);
  const bool shared = a.inputs[0] == b.inputs[0];
  const int64_t window = weights.dim(2) * weights.dim(3);
  const int64_t inputs = weights.dim(1) + (shared ? 0 : b.constant_input(1)->dim(1));
  const int64_t columns = level.first.columns + level.second.columns;
  const int64_t rows = level.first.anchors_here * columns;
  const auto row_elements = static_cast<size_t>(inputs * window);
  std::vector<double> elements(static_cast<size_t>(rows) * row_elements, 0.0);
  std::vector<double> biases(static_cast<size_t>(rows), 0.0);
  place_rows(level.first, columns, 0, 0, row_elements, elements, biases);
  place_rows(level.second, columns, level.first.columns,
             shared ? 0 : static_cast<size_t>(weights.dim(1) * window), row_elements, elements,
             biases);
  EDGEWRIGHT_ASSIGN(
      Tensor merged,
      float_tensor(weights.dtype(), {rows, inputs, weights.dim(2), weights.dim(3)}, elements));
  EDGEWRIGHT_ASSIGN(Tensor bias, float_tensor(weights.dtype(), {rows}, biases));
  Value* data = a.inputs[0];
  const std::string name = a.outputs[0]->name + "_heads";
  const auto add = [&](std::string_view op, std::vector<Value*> operands, Attributes attributes) {
    return insert_node(context, graph, before, op, std::move(operands), name, std::move(attributes))
        ->outputs[0];
  };
  if (!shared) data = add("Concat", {data, b.inputs[0]}, make_attributes({{"axis", int64_t{1}}}));
  Attributes attributes = a.attributes;
  Value* scores = add("Conv",
                      {data, graph.add_constant(name + "_weight", std::move(merged)),
                       graph.add_constant(name + "_bias", std::move(bias))},
                      attributes);
  const std::vector<int64_t> to_nhwc = {0, 2, 3, 1};
  Value* moved = add("Transpose", {scores}, make_attributes({{"perm", to_nhwc}}));
  return add("Reshape", {moved, add_int_constant(graph, "shape", {1, -1, columns})}, {});
}

Status merge(PassContext& context, Graph& graph, Node& a, Node& b,
             const std::vector<Level>& levels) {
  std::vector<Value*> parts;
  for (const Level& level : levels) {
    EDGEWRIGHT_ASSIGN(Value * part, merged_level(context, graph, level, &b));
    parts.push_back(part);
  }
  Node* joined = insert_node(context, graph, &b, "Concat", parts, "heads",
                             make_attributes({{"axis", int64_t{1}}}));
  Value* sizes =
      add_int_constant(graph, "split", {levels[0].first.columns, levels[0].second.columns});
  Node* split =
      graph.add_node("Split", {joined->outputs[0], sizes}, {a.outputs[0]->name, b.outputs[0]->name},
                     make_attributes({{"axis", int64_t{2}}}), "", &b);
  (void)context.types.infer(*split);
  replace_value(a.outputs[0], split->outputs[0]);
  replace_value(b.outputs[0], split->outputs[1]);
  erase_if_dead(&a);
  erase_if_dead(&b);
  // Users of the first head may stand before the second.
  return graph.sort_topologically();
}

// A Concat of rank 3 on axis 1.
bool joins_levels(const Node& node) {
  const auto dims = static_dims(node.output(0));
  const int64_t axis = node.attributes.get_int("axis", 0);
  return node.is("Concat") && dims && dims->size() == 3 && (axis == 1 || axis == -2);
}

}  // namespace

Result<bool> fuse_detection_heads(Graph& graph, PassContext& context) {
  std::vector<Node*> heads;
  for (Node& node : graph.nodes()) {
    if (joins_levels(node)) heads.push_back(&node);
  }
  for (size_t j = 1; j < heads.size(); ++j) {
    Node &a = *heads[j - 1], &b = *heads[j];
    const auto levels = levels_of(a, b, context.options.dialect);
    if (!levels || !context.allow(b)) continue;
    EDGEWRIGHT_TRY(merge(context, graph, a, b, *levels));
    return true;
  }
  return false;
}

}  // namespace edgewright
