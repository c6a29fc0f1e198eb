#include "passes/lower/conv_attributes.h"

#include <algorithm>

namespace edgewright {
namespace {

std::vector<int64_t> ints_or(const Node& node, std::string_view name, size_t count,
                             int64_t otherwise) {
  auto values = node.attributes.get_ints(name);
  if (values.empty()) values.assign(count, otherwise);
  return values;
}

// Pads as numbers, auto_pad resolved for this input; empty when they do not fit.
std::vector<int64_t> explicit_pads(const Node& node, const Dims& x, const Dims& w,
                                   const std::vector<int64_t>& strides,
                                   const std::vector<int64_t>& dilations) {
  const size_t axes = x.size() - 2;
  const std::string mode = node.attributes.get_string("auto_pad", "NOTSET");
  if (mode == "NOTSET") return ints_or(node, "pads", 2 * axes, 0);
  std::vector<int64_t> pads(2 * axes, 0);
  if (mode == "VALID") return pads;
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER") return {};
  for (size_t i = 0; i < axes; ++i) {
    const int64_t out = (x[i + 2] + strides[i] - 1) / strides[i];
    const int64_t span = (w[i + 2] - 1) * dilations[i] + 1;
    const int64_t total = std::max<int64_t>(0, (out - 1) * strides[i] + span - x[i + 2]);
    const int64_t less = total / 2, more = total - less;
    pads[i] = mode == "SAME_UPPER" ? less : more;
    pads[i + axes] = mode == "SAME_UPPER" ? more : less;
  }
  return pads;
}

}  // namespace

std::optional<Attributes> conv_attributes(const Node& node) {
  const Dims x = *static_dims(node.inputs[0]);
  const Dims w = *static_dims(node.inputs[1]);
  const size_t axes = x.size() - 2;
  const auto strides = ints_or(node, "strides", axes, 1);
  const auto dilations = ints_or(node, "dilations", axes, 1);
  const auto positive = [](int64_t value) { return value > 0; };
  if (strides.size() != axes || dilations.size() != axes ||
      !std::ranges::all_of(strides, positive) || !std::ranges::all_of(dilations, positive)) {
    return std::nullopt;
  }
  const auto pads = explicit_pads(node, x, w, strides, dilations);
  if (pads.size() != 2 * axes) return std::nullopt;
  return make_attributes({{"strides", strides},
                          {"dilations", dilations},
                          {"pads", pads},
                          {"group", node.attributes.get_int("group", 1)}});
}

}  // namespace edgewright
