// Operations that slide a window: convolutions, pooling, resizing.
#include <algorithm>

#include "formats/coreml/import.h"

namespace edgewright::coreml {
namespace {

// Pads stand in pairs in the file, before and behind of each axis in turn.
Result<std::vector<int64_t>> read_pads(Importer& importer, size_t axes) {
  std::vector<int64_t> pads(2 * axes, 0);
  if (!importer.has("pad")) return pads;
  EDGEWRIGHT_ASSIGN(const auto pairs, importer.ints("pad"));
  if (pairs.size() != pads.size()) return bad_input("{} pads for {} axes", pairs.size(), axes);
  for (size_t i = 0; i < axes; ++i) {
    pads[i] = pairs[2 * i];
    pads[axes + i] = pairs[2 * i + 1];
  }
  return pads;
}

Result<std::vector<int64_t>> positive(Importer& importer, std::string_view name, size_t axes) {
  if (!importer.has(name)) return std::vector<int64_t>(axes, 1);
  EDGEWRIGHT_ASSIGN(auto values, importer.ints(name));
  if (values.size() != axes) return bad_input("{} {} for {} axes", values.size(), name, axes);
  for (const int64_t value : values) {
    if (value <= 0) return bad_input("{} of {}", name, value);
  }
  return values;
}

Status set_window(Importer& importer, size_t axes, Attributes& attributes) {
  EDGEWRIGHT_ASSIGN(const std::string type, importer.text("pad_type", "valid"));
  EDGEWRIGHT_ASSIGN(auto strides, positive(importer, "strides", axes));
  if (type == "custom") {
    EDGEWRIGHT_ASSIGN(auto pads, read_pads(importer, axes));
    attributes.set("pads", std::move(pads));
  } else if (type == "same" || type == "same_lower") {
    attributes.set("auto_pad", std::string(type == "same" ? "SAME_UPPER" : "SAME_LOWER"));
  } else if (type != "valid") {
    return bad_input("pad_type '{}'", type);
  }
  attributes.set("strides", std::move(strides));
  return {};
}

struct Convolution {
  std::vector<Value*> inputs;
  Attributes attributes;
  Dims in, weights;
};
Result<Convolution> read_parts(Importer& importer) {
  Convolution parts;
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(Value * weight, importer.input("weight"));
  EDGEWRIGHT_ASSIGN(parts.in, importer.dims("x"));
  EDGEWRIGHT_ASSIGN(parts.weights, importer.dims("weight"));
  if (parts.in.size() < 3 || parts.in.size() > 5 || parts.weights.size() != parts.in.size()) {
    return bad_input("weights of rank {} for an input of rank {}", parts.weights.size(),
                     parts.in.size());
  }
  const size_t axes = parts.in.size() - 2;
  EDGEWRIGHT_TRY(set_window(importer, axes, parts.attributes));
  EDGEWRIGHT_ASSIGN(auto dilations, positive(importer, "dilations", axes));
  EDGEWRIGHT_ASSIGN(const int64_t groups, importer.integer("groups", 1));
  if (groups <= 0) return bad_input("{} groups", groups);
  parts.attributes.set("dilations", std::move(dilations));
  parts.attributes.set("group", groups);
  parts.inputs = {x, weight};
  if (importer.has("bias")) {
    EDGEWRIGHT_ASSIGN(Value * bias, importer.input("bias"));
    parts.inputs.push_back(bias);
  }
  return parts;
}

Status read_conv(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Convolution parts, read_parts(importer));
  const DType dtype = parts.inputs[0]->type.dtype;
  return importer.finish(
      importer.add("Conv", std::move(parts.inputs), dtype, std::move(parts.attributes)));
}

// The output's shape, where the file has it, says how much is added behind.
Status read_conv_transpose(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Convolution parts, read_parts(importer));
  if (importer.has("output_shape")) {
    EDGEWRIGHT_ASSIGN(const std::string type, importer.text("pad_type", "valid"));
    EDGEWRIGHT_ASSIGN(const auto shape, importer.ints("output_shape"));
    if (shape.size() != parts.in.size()) return bad_input("an output of rank {}", shape.size());
    if (type != "custom" && type != "valid") return unsupported("pad_type '{}' and a shape", type);
    const size_t axes = shape.size() - 2;
    EDGEWRIGHT_ASSIGN(const auto strides, positive(importer, "strides", axes));
    EDGEWRIGHT_ASSIGN(const auto dilations, positive(importer, "dilations", axes));
    EDGEWRIGHT_ASSIGN(const auto pads, read_pads(importer, axes));
    std::vector<int64_t> padding;
    constexpr int64_t kMost = int64_t{1} << 30;
    for (size_t i = 0; i < axes; ++i) {
      for (const int64_t number : {parts.in[i + 2], parts.weights[i + 2], strides[i], dilations[i],
                                   shape[i + 2], pads[i], pads[axes + i]}) {
        if (number < 0 || number > kMost) return bad_input("a window of {}", number);
      }
      const int64_t whole =
          (parts.in[i + 2] - 1) * strides[i] + (parts.weights[i + 2] - 1) * dilations[i] + 1;
      padding.push_back(shape[i + 2] - (whole - pads[i] - pads[axes + i]));
      if (padding.back() < 0) return unsupported("an output that is cut off");
    }
    parts.attributes.set("output_padding", std::move(padding));
  }
  const DType dtype = parts.inputs[0]->type.dtype;
  return importer.finish(
      importer.add("ConvTranspose", std::move(parts.inputs), dtype, std::move(parts.attributes)));
}

Status read_pool(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const auto kernel, importer.ints("kernel_sizes"));
  EDGEWRIGHT_ASSIGN(const bool ceil, importer.flag("ceil_mode", false));
  const bool is_average = importer.operation().type == "avg_pool";
  Attributes attributes;
  EDGEWRIGHT_TRY(set_window(importer, kernel.size(), attributes));
  if (std::ranges::any_of(kernel, [](int64_t size) { return size <= 0; })) {
    return bad_input("a kernel of no size");
  }
  attributes.set("kernel_shape", kernel);
  attributes.set("ceil_mode", int64_t{ceil});
  if (is_average) {
    EDGEWRIGHT_ASSIGN(const bool excludes, importer.flag("exclude_padding_from_average", false));
    attributes.set("count_include_pad", int64_t{!excludes});
  }
  return importer.finish(importer.add(is_average ? "AveragePool" : "MaxPool", {x}, x->type.dtype,
                                      std::move(attributes)));
}

Status read_lrn(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const int64_t size, importer.integer("size", 0));
  EDGEWRIGHT_ASSIGN(const float alpha, importer.number("alpha", 1e-4f));
  EDGEWRIGHT_ASSIGN(const float beta, importer.number("beta", 0.75f));
  EDGEWRIGHT_ASSIGN(const float bias, importer.number("k", 1));
  if (size <= 0 || size > 1 << 16) return bad_input("a size of {}", size);
  Attributes attributes;
  attributes.set("size", size);
  attributes.set("alpha", alpha);
  attributes.set("beta", beta);
  attributes.set("bias", bias);
  return importer.finish(importer.add("LRN", {x}, x->type.dtype, std::move(attributes)));
}

Status read_upsample(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const Dims to, importer.output_dims());
  const bool is_linear = importer.operation().type == "upsample_bilinear";
  EDGEWRIGHT_ASSIGN(const bool corners, importer.flag("align_corners", false));
  Attributes attributes;
  attributes.set("mode", std::string(is_linear ? "linear" : "nearest"));
  attributes.set("coordinate_transformation_mode", std::string(!is_linear ? "asymmetric"
                                                               : corners  ? "align_corners"
                                                                          : "half_pixel"));
  if (!is_linear) attributes.set("nearest_mode", std::string("floor"));
  return importer.finish(importer.add("Resize", {x, nullptr, nullptr, importer.int_list(to)},
                                      x->type.dtype, std::move(attributes)));
}

Status read_depth(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  const std::string& type = importer.operation().type;
  const bool is_shuffle = type == "pixel_shuffle";
  EDGEWRIGHT_ASSIGN(const int64_t block,
                    importer.integer(is_shuffle ? "upscale_factor" : "block_size", 0));
  if (block <= 0 || block > 1 << 16) return bad_input("a block of {}", block);
  Attributes attributes;
  attributes.set("blocksize", block);
  if (is_shuffle) attributes.set("mode", std::string("CRD"));
  return importer.finish(importer.add(type == "space_to_depth" ? "SpaceToDepth" : "DepthToSpace",
                                      {x}, x->type.dtype, std::move(attributes)));
}

constexpr ImportRow kRows[] = {
    {"conv", read_conv},
    {"conv_transpose", read_conv_transpose},
    {"max_pool", read_pool},
    {"avg_pool", read_pool},
    {"local_response_norm", read_lrn},
    {"upsample_nearest_neighbor", read_upsample},
    {"upsample_bilinear", read_upsample},
    {"depth_to_space", read_depth},
    {"space_to_depth", read_depth},
    {"pixel_shuffle", read_depth},
};

}  // namespace

std::span<const ImportRow> import_window_rows() { return kRows; }

}  // namespace edgewright::coreml
