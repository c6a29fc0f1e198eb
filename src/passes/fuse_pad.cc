// Before: Conv, AveragePool or MaxPool of Pad(x).      After: the same of x, with larger pads.
// Conditions: constant, non-negative padding of the spatial axes only; mode constant; the value is
// 0 for Conv and for an AveragePool that counts its padding, for MaxPool -infinity, or at most 0
// where x is not negative and every window meets some of it.
#include <algorithm>
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// Padding of every axis, begins then ends; empty when it is not constant.
std::optional<std::vector<int64_t>> padding_of(const Node& pad, size_t rank) {
  const auto pads = int_constant(pad.input(1));
  if (!pads) return std::nullopt;
  if (pad.input(3) == nullptr) return pads->size() == 2 * rank ? pads : std::nullopt;
  const auto given = int_constant(pad.input(3));
  if (!given || pads->size() != 2 * given->size()) return std::nullopt;
  const auto axes = normalised_axes(*given, rank);
  if (!axes) return std::nullopt;
  std::vector<int64_t> all(2 * rank, 0);
  for (size_t i = 0; i < axes->size(); ++i) {
    const auto axis = static_cast<size_t>((*axes)[i]);
    all[axis] = (*pads)[i];
    all[rank + axis] = (*pads)[axes->size() + i];
  }
  return all;
}

// Whether no element of a value can be below zero, as far as its producers say.
bool is_nonnegative(const Value* value, int depth = 0) {
  constexpr std::string_view kAlways[] = {"Relu", "Sigmoid", "Softmax", "Exp", "Abs"};
  constexpr std::string_view kAsInputs[] = {"Concat", "MaxPool", "AveragePool", "Transpose",
                                            "Reshape"};
  constexpr int kMaxDepth = 8;
  const Node* node = value == nullptr ? nullptr : value->producer;
  if (node == nullptr || depth > kMaxDepth) return false;
  if (node->is("FusedConv", "com.microsoft")) {
    return node->attributes.get_string("activation", "") == "Relu";
  }
  if (node->domain != "") return false;
  if (std::ranges::find(kAlways, node->op) != std::end(kAlways)) return true;
  if (std::ranges::find(kAsInputs, node->op) == std::end(kAsInputs)) return false;
  const size_t count = node->op == "Concat" ? node->inputs.size() : 1;
  for (size_t i = 0; i < count; ++i) {
    if (!is_nonnegative(node->inputs[i], depth + 1)) return false;
  }
  return true;
}

// Whether no window lies in the padding as a whole, given that pads are smaller than the kernel.
bool windows_meet_input(const Node& node) {
  const auto dilations = node.attributes.get_ints("dilations");
  return node.attributes.get_int("ceil_mode", 0) == 0 &&
         std::ranges::all_of(dilations, [](int64_t d) { return d == 1; });
}

bool value_fits(const Node& pad, const Node& node) {
  const auto value = pad.input(2) == nullptr ? 0.0 : scalar_constant(pad.input(2));
  if (!value) return false;
  if (node.is("Conv")) return *value == 0;
  if (node.is("MaxPool")) {
    return *value == -INFINITY ||
           (*value <= 0 && windows_meet_input(node) && is_nonnegative(pad.input(0)));
  }
  // Only with no ceiling: otherwise a window may hang over the padding, where nothing is counted.
  return node.is("AveragePool") && *value == 0 && node.attributes.get_int("ceil_mode", 0) == 0 &&
         node.attributes.get_int("count_include_pad", 0) == 1;
}

// MaxPool's second output counts positions in the padded input.
bool window_fits(const Node& node) {
  const std::string auto_pad = node.attributes.get_string("auto_pad", "NOTSET");
  return (auto_pad == "NOTSET" || auto_pad == "VALID") && node.outputs.size() == 1;
}

// Pads of a window must stay below its size in some engines' pooling; beyond that nothing is
// gained.
bool pads_below_kernel(const Node& node, const std::vector<int64_t>& pads) {
  const auto kernel = node.attributes.get_ints("kernel_shape");
  if (node.is("Conv")) return true;
  if (kernel.size() * 2 != pads.size()) return false;
  for (size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] >= kernel[i % kernel.size()]) return false;
  }
  return true;
}

}  // namespace

Result<bool> fuse_pad(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    Node* pad = producer(node.input(0), "Pad");
    const auto rank = rank_of(node.input(0));
    if (pad == nullptr || node.domain != "" || !rank || *rank < 3) return false;
    if (pad->attributes.get_string("mode", "constant") != "constant") return false;
    if (!value_fits(*pad, node) || !window_fits(node) || pad->graph != &owner) return false;
    const auto padding = padding_of(*pad, *rank);
    if (!padding || std::ranges::any_of(*padding, [](int64_t p) { return p < 0; })) return false;
    const size_t spatial = *rank - 2;
    std::vector<int64_t> pads = node.attributes.get_ints("pads", std::vector<int64_t>(2 * spatial));
    if (pads.size() != 2 * spatial) return false;
    for (size_t i = 0; i < 2; ++i) {
      for (size_t axis = 0; axis < *rank; ++axis) {
        const int64_t amount = (*padding)[i * *rank + axis];
        if (axis < 2 && amount != 0) return false;
        if (axis >= 2) pads[i * spatial + axis - 2] += amount;
      }
    }
    if (!pads_below_kernel(node, pads) || !context.allow(node)) return false;
    node.attributes.set("pads", pads);
    node.attributes.erase("auto_pad");
    owner.set_input(&node, 0, pad->inputs[0]);
    erase_if_dead(pad);
    return true;
  });
}

}  // namespace edgewright
