// Before: DequantizeLinear, then AveragePool, GlobalAveragePool or a linear Resize, then
// QuantizeLinear where the result is rounded.
// After: edgewright::QuantizedAveragePool or QuantizedResize on bytes.
// Conditions: one scale for the input; nothing but that QuantizeLinear reads the float result where
// there is one; Resize by the quotient of the sizes along the image alone, without filter, padding
// modes or crops.
#include <algorithm>
#include <cmath>

#include "graph/window_facts.h"
#include "passes/lower/quantized_match.h"

namespace edgewright {
namespace {

bool is_image(const Value* value) {
  const auto dims = static_dims(value);
  return is_static_float(value) && (dims->size() == 3 || dims->size() == 4);
}

// kernel_shape, strides and pads in full; false where the kernel would need more than these.
bool read_pool(const Node& node, const Dims& in, Attributes& attributes) {
  const size_t axes = in.size() - 2;
  if (node.op == "GlobalAveragePool") {
    attributes.set("kernel_shape", Dims(in.begin() + 2, in.end()));
    attributes.set("strides", std::vector<int64_t>(axes, 1));
    attributes.set("pads", std::vector<int64_t>(2 * axes, 0));
    return true;
  }
  const auto facts = window_facts(node, in, node.attributes.get_ints("kernel_shape"));
  if (!facts || facts->kernel.size() != axes ||
      std::ranges::any_of(facts->dilations, [](int64_t d) { return d != 1; })) {
    return false;
  }
  std::vector<int64_t> pads = facts->pads_begin;
  pads.insert(pads.end(), facts->pads_end.begin(), facts->pads_end.end());
  for (size_t i = 0; i < axes; ++i) {
    if (pads[i] < 0 || pads[i] >= facts->kernel[i] || pads[axes + i] < 0 ||
        pads[axes + i] >= facts->kernel[i]) {
      return false;
    }
  }
  attributes.set("kernel_shape", facts->kernel);
  attributes.set("strides", facts->strides);
  attributes.set("pads", pads);
  attributes.set("count_include_pad", node.attributes.get_int("count_include_pad", 0));
  return true;
}

// Whether every scale is the quotient of the sizes: then the sizes say everything.
bool scales_are_quotients(const Node& node, const Dims& in, const Dims& out) {
  const Tensor* scales = node.constant_input(2);
  if (scales == nullptr || scales->element_count() == 0) return node.input(3) != nullptr;
  const auto values = scales->to_doubles();
  if (!values.ok() || values->size() != in.size()) return false;
  for (size_t i = 0; i < in.size(); ++i) {
    const double quotient = static_cast<double>(out[i]) / static_cast<double>(in[i]);
    if (std::abs((*values)[i] - quotient) > 1e-7 * quotient) return false;
  }
  return true;
}

bool read_resize(const Node& node, const Dims& in, const Dims& out, Attributes& attributes) {
  constexpr std::string_view kModes[] = {"half_pixel", "pytorch_half_pixel", "asymmetric",
                                         "align_corners"};
  const Attributes& a = node.attributes;
  const std::string mode = a.get_string("coordinate_transformation_mode", "half_pixel");
  const bool plain = a.get_string("mode", "nearest") == "linear" &&
                     a.get_int("antialias", 0) == 0 && a.get_int("exclude_outside", 0) == 0 &&
                     !a.contains("axes") &&
                     a.get_string("keep_aspect_ratio_policy", "stretch") == "stretch" &&
                     std::ranges::find(kModes, mode) != std::end(kModes);
  if (!plain || out.size() != in.size() || in[0] != out[0] || in[1] != out[1] ||
      !scales_are_quotients(node, in, out)) {
    return false;
  }
  attributes.set("coordinate_transformation_mode", mode);
  attributes.set("sizes", out);
  return true;
}

void set_scale(Attributes& attributes, const std::string& name, const QuantizedScale& scale) {
  attributes.set(name + "_scale", static_cast<float>(scale.scale));
  attributes.set(name + "_zero", scale.zero);
}

Result<bool> lower_one(PassContext& context, Node& node) {
  if (!node.domain.empty() || node.outputs.size() != 1 || !is_image(node.input(0)) ||
      !is_image(node.output(0))) {
    return false;
  }
  const auto value = dequantized_value(node.inputs[0]);
  if (!value || value->bytes->is_constant() || value->bytes->graph != node.graph) return false;
  const Dims in = *static_dims(node.inputs[0]), out = *static_dims(node.outputs[0]);
  Attributes attributes;
  const bool resize = node.op == "Resize";
  if (!(resize ? read_resize(node, in, out, attributes) : read_pool(node, in, attributes))) {
    return false;
  }
  if (!context.allow(node)) return false;
  set_scale(attributes, "x", value->scale);
  Node* quantizer = single_user(node.outputs[0]);
  const auto y =
      quantizer != nullptr && quantizer->graph == node.graph ? quantizes(*quantizer) : std::nullopt;
  Node* last = y ? quantizer : &node;
  if (y) {
    set_scale(attributes, "y", *y);
    attributes.set("y_type", static_cast<int64_t>(y->dtype));
  }
  replace_node(context, last, resize ? "QuantizedResize" : "QuantizedAveragePool", {value->bytes},
               std::move(attributes), kEngineDomain);
  return true;
}

}  // namespace

Result<bool> lower_quantized_window(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"AveragePool", "GlobalAveragePool", "Resize"},
                     [&](Node& node) { return lower_one(context, node); });
}

}  // namespace edgewright
