// Before: y = Op(x, ...) where Op cannot change anything.     After: x in place of y.
// The table says for each operator when that is so. Quantised units (DequantizeLinear, Op,
// QuantizeLinear) stay whole.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool keeps_shape(const Node& node) { return same_shape(node.input(0), node.output(0)); }

bool all_equal(const std::vector<int64_t>& list, int64_t value) {
  return std::ranges::all_of(list, [&](int64_t element) { return element == value; });
}

bool cast_is_no_op(const Node& node) {
  const DType from = dtype_of(node.input(0));
  return from != DType::kUndefined &&
         static_cast<int64_t>(from) == node.attributes.get_int("to", 0);
}

// A slice of positive steps that is as long as its input takes every element.
bool slice_is_no_op(const Node& node) {
  if (node.input(4) != nullptr) {
    const auto steps = int_constant(node.input(4));
    if (!steps || std::ranges::any_of(*steps, [](int64_t s) { return s <= 0; })) return false;
  }
  return keeps_shape(node);
}

bool pad_is_no_op(const Node& node) {
  const auto pads = int_constant(node.input(1));
  return pads && all_equal(*pads, 0);
}

// The axes longer than one keep their order, and the shape stays as it is.
bool transpose_is_no_op(const Node& node) {
  const auto rank = rank_of(node.input(0));
  if (!rank) return false;
  const auto permutation = permutation_of(node, *rank);
  if (std::ranges::is_sorted(permutation)) return true;
  const auto dims = static_dims(node.input(0));
  if (!dims) return false;
  int64_t last = -1;
  for (size_t i = 0; i < *rank; ++i) {
    const int64_t axis = permutation[i];
    if ((*dims)[static_cast<size_t>(axis)] != (*dims)[i]) return false;
    if ((*dims)[i] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

bool has_one_input(const Node& node) { return node.inputs.size() == 1; }

bool has_one_output(const Node& node) { return node.outputs.size() == 1 && keeps_shape(node); }

// Reducing axes of one element without removing them, by an operator that keeps a lone element.
bool reduction_is_no_op(const Node& node) {
  const auto axes = node.input(1) == nullptr ? std::vector<int64_t>{} : int_constant(node.input(1));
  if (!axes) return false;
  if (axes->empty() && node.attributes.get_int("noop_with_empty_axes", 0) != 0) return true;
  return keeps_shape(node);
}

// A window of one element with stride 1 and no padding.
bool pool_is_no_op(const Node& node) {
  return all_equal(node.attributes.get_ints("kernel_shape", {0}), 1) &&
         all_equal(node.attributes.get_ints("strides"), 1) &&
         all_equal(node.attributes.get_ints("pads"), 0) &&
         node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET" && node.output(1) == nullptr;
}

bool clip_is_no_op(const Node& node) {
  return node.input(1) == nullptr && node.input(2) == nullptr;
}

// The blocks of a permuting operator are single elements.
bool block_is_no_op(const Node& node) { return node.attributes.get_int("blocksize", 0) == 1; }

struct Rule {
  std::string_view op;
  bool (*is_no_op)(const Node&);
};
constexpr Rule kRules[] = {
    {"Cast", cast_is_no_op},
    {"Slice", slice_is_no_op},
    {"Pad", pad_is_no_op},
    {"Transpose", transpose_is_no_op},
    {"Reshape", keeps_shape},
    {"Flatten", keeps_shape},
    {"Squeeze", keeps_shape},
    {"Unsqueeze", keeps_shape},
    {"Expand", keeps_shape},
    {"Tile", keeps_shape},
    {"Concat", has_one_input},
    {"Split", has_one_output},
    {"Sum", has_one_input},
    {"Mean", has_one_input},
    {"Max", has_one_input},
    {"Min", has_one_input},
    {"ReduceSum", reduction_is_no_op},
    {"ReduceMean", reduction_is_no_op},
    {"ReduceMax", reduction_is_no_op},
    {"ReduceMin", reduction_is_no_op},
    {"ReduceProd", reduction_is_no_op},
    {"AveragePool", pool_is_no_op},
    {"MaxPool", pool_is_no_op},
    {"Clip", clip_is_no_op},
    {"GlobalAveragePool", keeps_shape},
    {"GlobalMaxPool", keeps_shape},
    {"DepthToSpace", block_is_no_op},
    {"SpaceToDepth", block_is_no_op},
};

// An operator between DequantizeLinear and QuantizeLinear: back ends for integers look for such
// units and run them without the conversions, so they stay whole.
bool is_quantised_unit(const Node& node) {
  const Node* before = node.input(0)->producer;
  const Node* after = single_user(node.output(0));
  return before != nullptr && before->op == "DequantizeLinear" && after != nullptr &&
         after->op == "QuantizeLinear";
}

bool is_no_op(const Node& node) {
  if (node.domain != "" || is_quantised_unit(node)) return false;
  const auto rule = std::ranges::find(kRules, node.op, &Rule::op);
  return rule != std::end(kRules) && rule->is_no_op(node);
}

}  // namespace

Result<bool> eliminate_no_op(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    if (node.input(0) == nullptr || node.output(0) == nullptr || !is_no_op(node)) return false;
    if (!can_replace(node.outputs[0], node.inputs[0]) || !context.allow(node)) return false;
    replace_value(node.outputs[0], node.inputs[0]);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
