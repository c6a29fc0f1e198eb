#include "graph/window_facts.h"

#include <algorithm>

namespace edgewright {
namespace {

std::vector<int64_t> ints_or(const Node& node, std::string_view name, size_t count,
                             int64_t otherwise) {
  auto values = node.attributes.get_ints(name);
  if (values.empty()) values.assign(count, otherwise);
  return values;
}

bool are_steps(const std::vector<int64_t>& values, size_t axes) {
  return values.size() == axes &&
         std::ranges::all_of(values, [](int64_t value) { return value > 0; });
}

// What lacks at the borders when the output has ceil(input / stride) places.
void pad_to_same(WindowFacts& window, const Dims& input, bool upper) {
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const int64_t size = input[i + 2], stride = window.strides[i];
    const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t outputs = (size + stride - 1) / stride;
    const int64_t missing = std::max<int64_t>((outputs - 1) * stride + reach - size, 0);
    window.pads_begin.push_back(upper ? missing / 2 : missing - missing / 2);
    window.pads_end.push_back(missing - window.pads_begin.back());
  }
}

}  // namespace

std::optional<WindowFacts> window_facts(const Node& node, const Dims& input,
                                        std::vector<int64_t> kernel) {
  if (input.size() < 2 || kernel.size() != input.size() - 2) return std::nullopt;
  const size_t axes = kernel.size();
  WindowFacts window;
  window.kernel = std::move(kernel);
  window.strides = ints_or(node, "strides", axes, 1);
  window.dilations = ints_or(node, "dilations", axes, 1);
  if (!are_steps(window.strides, axes) || !are_steps(window.dilations, axes)) return std::nullopt;
  const std::string mode = node.attributes.get_string("auto_pad", "NOTSET");
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    pad_to_same(window, input, mode == "SAME_UPPER");
    return window;
  }
  if (mode != "NOTSET" && mode != "VALID") return std::nullopt;
  auto pads = ints_or(node, "pads", 2 * axes, 0);
  if (mode == "VALID") pads.assign(2 * axes, 0);
  if (pads.size() != 2 * axes) return std::nullopt;
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(axes);
  window.pads_begin.assign(pads.begin(), middle);
  window.pads_end.assign(middle, pads.end());
  return window;
}

}  // namespace edgewright
