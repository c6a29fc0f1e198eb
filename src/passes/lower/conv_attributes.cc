#include "passes/lower/conv_attributes.h"

#include "graph/window_facts.h"

namespace edgewright {

std::optional<Attributes> conv_attributes(const Node& node) {
  const Dims x = *static_dims(node.inputs[0]);
  const Dims w = *static_dims(node.inputs[1]);
  if (w.size() < 2) return std::nullopt;
  const auto window = window_facts(node, x, {w.begin() + 2, w.end()});
  if (!window) return std::nullopt;
  auto pads = window->pads_begin;
  pads.insert(pads.end(), window->pads_end.begin(), window->pads_end.end());
  return make_attributes({{"strides", window->strides},
                          {"dilations", window->dilations},
                          {"pads", pads},
                          {"group", node.attributes.get_int("group", 1)}});
}

}  // namespace edgewright
