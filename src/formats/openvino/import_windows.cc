#include "formats/openvino/import.h"

namespace edgewright::openvino_ir {
namespace {

Status set_window(Importer& importer, Attributes& attributes, bool dilated) {
  EDGEWRIGHT_ASSIGN(auto strides, importer.integers("strides"));
  EDGEWRIGHT_ASSIGN(auto pads, importer.integers("pads_begin"));
  EDGEWRIGHT_ASSIGN(const auto end, importer.integers("pads_end"));
  pads.insert(pads.end(), end.begin(), end.end());
  const std::string mode = importer.text("auto_pad", "explicit");
  const bool same = mode == "same_upper" || mode == "same_lower";
  if (same || mode == "valid") {
    attributes.set("auto_pad", std::string(mode == "same_upper"   ? "SAME_UPPER"
                                           : mode == "same_lower" ? "SAME_LOWER"
                                                                  : "VALID"));
  } else if (!pads.empty()) {
    attributes.set("pads", std::move(pads));
  }
  if (!strides.empty()) attributes.set("strides", std::move(strides));
  if (!dilated) return {};
  EDGEWRIGHT_ASSIGN(auto dilations, importer.integers("dilations"));
  if (!dilations.empty()) attributes.set("dilations", std::move(dilations));
  return {};
}

// Weights G O/G I/G K... as O I/G K...: the first two dimensions become one.
Result<Value*> ungrouped(Importer& importer, Attributes& attributes) {
  EDGEWRIGHT_ASSIGN(Value * weights, importer.input(1));
  const auto& shape = importer.input_port(1).shape;
  const auto dims = shape ? known_dims(*shape) : std::nullopt;
  if (!dims || dims->size() < 4 || (*dims)[0] <= 0) {
    return unsupported("weights of shape {}, expected G, O, I and a kernel, all known",
                       shape ? shape_text(*shape) : "?");
  }
  Dims joined(dims->begin() + 1, dims->end());
  if (joined[0] > (int64_t{1} << 40) / (*dims)[0]) return bad_input("weights of that size");
  joined[0] *= (*dims)[0];
  attributes.set("group", (*dims)[0]);
  if (weights->is_constant()) {
    EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(joined));
    if (count != weights->constant->element_count()) return bad_input("weights of another shape");
    return importer.constant(weights->constant->reshaped(joined));
  }
  return importer.add("Reshape", {weights, importer.ints(joined)});
}

Status read_convolution(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * weights, importer.input(1));
  Attributes attributes;
  EDGEWRIGHT_TRY(set_window(importer, attributes, true));
  if (importer.layer().type.starts_with("Group")) {
    EDGEWRIGHT_ASSIGN(weights, ungrouped(importer, attributes));
  }
  const bool transposed = importer.layer().type.ends_with("BackpropData");
  if (transposed) {
    if (importer.inputs() > 2) return unsupported("an output shape as input");
    EDGEWRIGHT_ASSIGN(auto padding, importer.integers("output_padding"));
    if (!padding.empty()) attributes.set("output_padding", std::move(padding));
  }
  return importer.finish(transposed ? "ConvTranspose" : "Conv", {x, weights},
                         std::move(attributes));
}

Status read_pool(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  const bool average = importer.layer().type == "AvgPool";
  Attributes attributes;
  EDGEWRIGHT_TRY(set_window(importer, attributes, !average));
  EDGEWRIGHT_ASSIGN(auto kernel, importer.integers("kernel"));
  attributes.set("kernel_shape", std::move(kernel));
  attributes.set("ceil_mode", int64_t{importer.text("rounding_type", "floor") != "floor"});
  if (average) {
    attributes.set("count_include_pad", int64_t{!importer.flag("exclude-pad", false)});
    return importer.finish("AveragePool", {x}, std::move(attributes));
  }
  Value* pooled = importer.add("MaxPool", {x}, std::move(attributes));
  const Port& port = importer.layer().outputs.empty() ? Port() : importer.layer().outputs[0];
  pooled->type = ValueType::tensor(importer.input_port(0).dtype, port.shape);
  importer.give_named(0, pooled);
  return {};
}

Status read_interpolate(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * target, importer.input(1));
  if (importer.layer().version != "opset11" && importer.layer().version != "opset4") {
    return unsupported("Interpolate of {}, expected opset4 or opset11", importer.layer().version);
  }
  EDGEWRIGHT_ASSIGN(const auto begin, importer.integers("pads_begin"));
  EDGEWRIGHT_ASSIGN(const auto end, importer.integers("pads_end"));
  for (const auto& pads : {begin, end}) {
    for (const int64_t pad : pads) {
      if (pad != 0) return unsupported("Interpolate with padding");
    }
  }
  const std::string mode = importer.text("mode", "nearest");
  if (mode != "nearest" && mode != "linear_onnx" && mode != "linear" && mode != "cubic") {
    return unsupported("Interpolate with mode '{}'", mode);
  }
  const bool by_scale = importer.text("shape_calculation_mode", "sizes") == "scales";
  // opset4 gives sizes and scales both, the one that counts decides.
  if (importer.layer().version == "opset4" && by_scale) {
    EDGEWRIGHT_ASSIGN(target, importer.input(2));
  }
  const size_t axes_at = importer.layer().version == "opset4" ? 3 : 2;
  Attributes attributes;
  if (importer.inputs() > axes_at) {
    EDGEWRIGHT_ASSIGN(auto axes, importer.constant_ints(axes_at));
    attributes.set("axes", std::move(axes));
  }
  attributes.set("mode", mode.starts_with("linear") ? std::string("linear") : mode);
  attributes.set("coordinate_transformation_mode",
                 importer.text("coordinate_transformation_mode", "half_pixel"));
  attributes.set("nearest_mode", importer.text("nearest_mode", "round_prefer_floor"));
  attributes.set("antialias", int64_t{importer.flag("antialias", false)});
  EDGEWRIGHT_ASSIGN(const float coefficient, importer.number("cube_coeff", -0.75f));
  attributes.set("cubic_coeff_a", coefficient);
  if (by_scale) return importer.finish("Resize", {x, nullptr, target}, std::move(attributes));
  return importer.finish("Resize", {x, nullptr, nullptr, importer.as_int64(target)},
                         std::move(attributes));
}

Status read_depth(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const int64_t block, importer.integer("block_size", 1));
  const bool depth_first = importer.text("mode", "blocks_first") == "depth_first";
  const bool to_space = importer.layer().type == "DepthToSpace";
  if (!to_space && depth_first) return unsupported("SpaceToDepth with mode 'depth_first'");
  Attributes attributes;
  attributes.set("blocksize", block);
  if (to_space) attributes.set("mode", std::string(depth_first ? "CRD" : "DCR"));
  return importer.finish(importer.layer().type, {x}, std::move(attributes));
}

constexpr ImportRow kRows[] = {
    {"Convolution", read_convolution},
    {"GroupConvolution", read_convolution},
    {"ConvolutionBackpropData", read_convolution},
    {"GroupConvolutionBackpropData", read_convolution},
    {"MaxPool", read_pool},
    {"AvgPool", read_pool},
    {"Interpolate", read_interpolate},
    {"DepthToSpace", read_depth},
    {"SpaceToDepth", read_depth},
};

}  // namespace

std::span<const ImportRow> import_window_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
