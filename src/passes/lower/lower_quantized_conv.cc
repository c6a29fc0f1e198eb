// Before: Conv of DequantizeLinear(bytes) with DequantizeLinear(int8 weights), then factors and
// addends per channel, a rounding, a sum, an activation and QuantizeLinear, as far as they are
// there.
// After: one edgewright::QuantizedConv2d, which reads bytes and, where the result is quantised,
// writes bytes.
// Conditions: two spatial axes, known shapes, one scale for the input, constant weights with zero
// points of 0; nothing else reads what lies between.
#include "passes/lower/conv_attributes.h"
#include "passes/lower/quantized_match.h"

namespace edgewright {
namespace {

bool is_conv(const Node& node) { return node.is("Conv") || node.is("FusedConv", "com.microsoft"); }

// What com.microsoft::FusedConv has taken in already; false where its activation is not known.
bool read_fused(const Node& node, QuantizedEnd& end) {
  if (node.domain.empty()) return true;
  end.epilogue.activation = node.attributes.get_string("activation", "");
  if (Value* residual = node.input(3)) {
    if (!is_static_float(residual)) return false;
    end.residual = residual;
    if (const auto bytes = dequantized_value(residual)) {
      end.residual = bytes->bytes;
      end.residual_scale = bytes->scale;
    }
  }
  const auto params = node.attributes.get_floats("activation_params");
  if (end.epilogue.activation == "Clip" && params.size() == 2) {
    end.epilogue.alpha = params[0];
    end.epilogue.beta = params[1];
    return true;
  }
  return end.epilogue.activation.empty() || end.epilogue.activation == "Relu";
}

Result<bool> lower_one(PassContext& context, Node& node) {
  if (!is_conv(node) || node.inputs.size() < 2 || !is_static_float(node.output(0)) ||
      !is_static_float(node.inputs[0]) || rank_of(node.inputs[0]) != 4) {
    return false;
  }
  const auto x = dequantized_value(node.inputs[0]);
  const auto w = quantized_weights(node.inputs[1], 0);
  if (!x || !w || w->values.rank() != 4) return false;
  const auto columns = static_cast<size_t>(w->values.dim(0));
  auto attributes = conv_attributes(node);
  QuantizedEnd end;
  end.last = node.outputs[0];
  for (size_t c = 0; c < columns; ++c) {
    end.scale.push_back(x->scale.scale * w->scales[w->scales.size() == 1 ? 0 : c]);
  }
  end.shift.assign(columns, 0.0);
  if (node.input(2) != nullptr) {
    const auto bias = constant_vector(node.inputs[2], columns);
    if (!bias) return false;
    end.shift = *bias;
  }
  if (!attributes || !read_fused(node, end) || !context.allow(node)) return false;
  match_quantized_end(end, 2);
  attributes->set("x_zero", x->scale.zero);
  Value* weights = node.graph->add_constant(node.inputs[1]->name + "_bytes", w->values);
  EDGEWRIGHT_TRY(
      replace_by_product(end, "QuantizedConv2d", {x->bytes, weights}, *std::move(attributes)));
  return true;
}

}  // namespace

Result<bool> lower_quantized_conv(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"Conv", "FusedConv"},
                     [&](Node& node) { return lower_one(context, node); });
}

}  // namespace edgewright
