// Operators in NHWC, between two transposes.
#include "formats/tflite/import.h"

namespace edgewright::tflite_io {
namespace {

Status set_padding(schema::Padding padding, Attributes& attributes) {
  if (padding != schema::Padding::SAME && padding != schema::Padding::VALID) {
    return bad_input("padding {}", static_cast<int>(padding));
  }
  attributes.set("auto_pad",
                 std::string(padding == schema::Padding::SAME ? "SAME_UPPER" : "VALID"));
  return {};
}

Status set_positive(Attributes& attributes, const char* key, int64_t height, int64_t width) {
  if (height <= 0 || width <= 0) return bad_input("{} of {} and {}", key, height, width);
  attributes.set(key, std::vector<int64_t>{height, width});
  return {};
}

template <class Options>
Status finish_convolution(Importer& importer, const Options& options, Value* weights,
                          int64_t groups) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  Attributes attributes;
  EDGEWRIGHT_TRY(set_padding(options.padding(), attributes));
  EDGEWRIGHT_TRY(set_positive(attributes, "strides", options.stride_h(), options.stride_w()));
  EDGEWRIGHT_TRY(set_positive(attributes, "dilations", options.dilation_h_factor(),
                              options.dilation_w_factor()));
  attributes.set("group", groups);
  std::vector<Value*> inputs = {importer.to_plain(x), weights};
  if (importer.has_input(2)) {
    EDGEWRIGHT_ASSIGN(Value * bias, importer.input(2));
    inputs.push_back(bias);
  }
  Value* result = importer.add("Conv", std::move(inputs), std::move(attributes));
  EDGEWRIGHT_ASSIGN(result, importer.activated(result, options.fused_activation_function()));
  return importer.finish(importer.to_nhwc(result));
}

Result<Dims> dims_of_rank_4(const Importer& importer, size_t index) {
  EDGEWRIGHT_ASSIGN(Dims dims, importer.dims(index));
  if (dims.size() != 4) return bad_input("input {} has rank {}, expected 4", index, dims.size());
  for (const int64_t dim : dims) {
    if (dim <= 0) return bad_input("input {} has shape {}", index, dims_text(dims));
  }
  return dims;
}

Status read_convolution(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const Dims in, dims_of_rank_4(importer, 0));
  EDGEWRIGHT_ASSIGN(const Dims filter, dims_of_rank_4(importer, 1));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::Conv2DOptions>());
  if (in[3] % filter[3] != 0) return bad_input("{} channels in groups of {}", in[3], filter[3]);
  EDGEWRIGHT_ASSIGN(Value * weights, importer.weights(1, {0, 3, 1, 2}));
  return finish_convolution(importer, *options, weights, in[3] / filter[3]);
}

Status read_depthwise(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const Dims in, dims_of_rank_4(importer, 0));
  EDGEWRIGHT_ASSIGN(const Dims filter, dims_of_rank_4(importer, 1));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::DepthwiseConv2DOptions>());
  if (filter[0] != 1 || filter[3] % in[3] != 0) {
    return bad_input("weights of shape {} for {} channels", dims_text(filter), in[3]);
  }
  EDGEWRIGHT_ASSIGN(Value * weights, importer.weights(1, {3, 0, 1, 2}));
  return finish_convolution(importer, *options, weights, in[3]);
}

// The output's shape says how much of the full result is cut off.
Status read_transposed(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const Dims filter, dims_of_rank_4(importer, 1));
  EDGEWRIGHT_ASSIGN(const Dims in, dims_of_rank_4(importer, 2));
  EDGEWRIGHT_ASSIGN(const auto out, importer.ints(0));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::TransposeConvOptions>());
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(2));
  EDGEWRIGHT_ASSIGN(Value * weights, importer.weights(1, {3, 0, 1, 2}));
  Attributes attributes;
  EDGEWRIGHT_TRY(set_positive(attributes, "strides", options->stride_h(), options->stride_w()));
  if (out.size() != 4) return bad_input("an output shape of {} numbers", out.size());
  const int64_t strides[] = {options->stride_h(), options->stride_w()};
  std::vector<int64_t> pads(4, 0);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t full = (in[i + 1] - 1) * strides[i] + filter[i + 1];
    const int64_t cut = full - out[i + 1];
    if (cut < 0) return unsupported("an output of {}, larger than {}", out[i + 1], full);
    const bool same = options->padding() == schema::Padding::SAME;
    pads[i] = same ? cut / 2 : 0;
    pads[i + 2] = cut - pads[i];
  }
  attributes.set("pads", pads);
  std::vector<Value*> inputs = {importer.to_plain(x), weights};
  if (importer.has_input(3)) {
    EDGEWRIGHT_ASSIGN(Value * bias, importer.input(3));
    inputs.push_back(bias);
  }
  Value* result = importer.add("ConvTranspose", std::move(inputs), std::move(attributes));
  EDGEWRIGHT_ASSIGN(result, importer.activated(result, options->fused_activation_function()));
  return importer.finish(importer.to_nhwc(result));
}

Status read_pool(Importer& importer) {
  EDGEWRIGHT_TRY(dims_of_rank_4(importer, 0));
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::Pool2DOptions>());
  Attributes attributes;
  EDGEWRIGHT_TRY(set_padding(options->padding(), attributes));
  EDGEWRIGHT_TRY(set_positive(attributes, "strides", options->stride_h(), options->stride_w()));
  EDGEWRIGHT_TRY(
      set_positive(attributes, "kernel_shape", options->filter_height(), options->filter_width()));
  const bool max = importer.code() == Operator::MAX_POOL_2D;
  Value* result =
      importer.add(max ? "MaxPool" : "AveragePool", {importer.to_plain(x)}, std::move(attributes));
  EDGEWRIGHT_ASSIGN(result, importer.activated(result, options->fused_activation_function()));
  return importer.finish(importer.to_nhwc(result));
}

template <class Options>
Status finish_resize(Importer& importer, const Options& options, const char* mode) {
  EDGEWRIGHT_ASSIGN(const Dims in, dims_of_rank_4(importer, 0));
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto size, importer.ints(1));
  if (size.size() != 2 || size[0] <= 0 || size[1] <= 0) return bad_input("a size of no image");
  const bool nearest = std::string_view(mode) == "nearest";
  Attributes attributes;
  attributes.set("mode", std::string(mode));
  attributes.set("coordinate_transformation_mode",
                 std::string(options.align_corners()        ? "align_corners"
                             : options.half_pixel_centers() ? "half_pixel"
                                                            : "asymmetric"));
  const bool centred = options.align_corners() || options.half_pixel_centers();
  if (nearest) {
    attributes.set("nearest_mode", std::string(centred ? "round_prefer_ceil" : "floor"));
  }
  const std::vector<int64_t> target = {in[0], in[3], size[0], size[1]};
  Value* result =
      importer.add("Resize", {importer.to_plain(x), nullptr, nullptr, importer.int_list(target)},
                   std::move(attributes));
  return importer.finish(importer.to_nhwc(result));
}

Status read_resize_bilinear(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::ResizeBilinearOptions>());
  return finish_resize(importer, *options, "linear");
}
Status read_resize_nearest(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::ResizeNearestNeighborOptions>());
  return finish_resize(importer, *options, "nearest");
}

Status finish_depth(Importer& importer, const char* op, int64_t block) {
  EDGEWRIGHT_TRY(dims_of_rank_4(importer, 0));
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  if (block <= 0) return bad_input("a block of {}", block);
  Attributes attributes;
  attributes.set("blocksize", block);
  return importer.finish(
      importer.to_nhwc(importer.add(op, {importer.to_plain(x)}, std::move(attributes))));
}
Status read_depth_to_space(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::DepthToSpaceOptions>());
  return finish_depth(importer, "DepthToSpace", options->block_size());
}
Status read_space_to_depth(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::SpaceToDepthOptions>());
  return finish_depth(importer, "SpaceToDepth", options->block_size());
}

Status read_lrn(Importer& importer) {
  EDGEWRIGHT_TRY(dims_of_rank_4(importer, 0));
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto* options,
                    importer.options<schema::LocalResponseNormalizationOptions>());
  const int64_t size = 2 * int64_t{options->radius()} + 1;
  if (options->radius() < 0 || options->radius() > 1 << 16) {
    return bad_input("radius {}", options->radius());
  }
  Attributes attributes;
  attributes.set("size", size);
  attributes.set("bias", options->bias());
  attributes.set("alpha", options->alpha() * static_cast<float>(size));
  attributes.set("beta", options->beta());
  return importer.finish(
      importer.to_nhwc(importer.add("LRN", {importer.to_plain(x)}, std::move(attributes))));
}

constexpr ImportRow kRows[] = {
    {Operator::CONV_2D, read_convolution},
    {Operator::DEPTHWISE_CONV_2D, read_depthwise},
    {Operator::TRANSPOSE_CONV, read_transposed},
    {Operator::MAX_POOL_2D, read_pool},
    {Operator::AVERAGE_POOL_2D, read_pool},
    {Operator::RESIZE_BILINEAR, read_resize_bilinear},
    {Operator::RESIZE_NEAREST_NEIGHBOR, read_resize_nearest},
    {Operator::DEPTH_TO_SPACE, read_depth_to_space},
    {Operator::SPACE_TO_DEPTH, read_space_to_depth},
    {Operator::LOCAL_RESPONSE_NORMALIZATION, read_lrn},
};

}  // namespace

std::span<const ImportRow> import_window_rows() { return kRows; }

}  // namespace edgewright::tflite_io
