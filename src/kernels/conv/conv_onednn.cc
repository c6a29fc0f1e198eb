// edgewright::Conv2d by oneDNN.
#include <cstring>

#include "kernels/conv/conv_kernels.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/onednn/primitive_onednn.h"

namespace edgewright {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto kFloat = dnnl::memory::data_type::f32;

Tag tag_of(Layout layout) {
  if (layout == Layout::kNchw16c) return Tag::nChw16c;
  return layout == Layout::kNhwc ? Tag::nhwc : Tag::nchw;
}

dnnl::memory::dims weight_dims(const ConvShape& s) {
  const int64_t in = s.in_channels / s.group;
  if (s.group == 1) return {s.out_channels, in, s.kernel_height, s.kernel_width};
  return {s.group, s.out_channels / s.group, in, s.kernel_height, s.kernel_width};
}

// What oneDNN offers for the shape; throws dnnl::error when it has nothing.
dnnl::convolution_forward::primitive_desc describe(const ConvShape& s, bool bfloat16) {
  const Desc x({s.batch, s.in_channels, s.in_height, s.in_width}, kFloat, tag_of(s.in_layout));
  const Desc y({s.batch, s.out_channels, s.out_height, s.out_width}, kFloat, tag_of(s.out_layout));
  const Desc w(weight_dims(s), kFloat, Tag::any);
  const Desc bias({s.out_channels}, kFloat, Tag::a);
  dnnl::post_ops operations;
  dnnl::primitive_attr attributes;
  if (!onednn_post_operations(s.epilogue, s.has_residual ? &y : nullptr, operations)) {
    throw dnnl::error(dnnl_unimplemented, "activation");
  }
  attributes.set_post_ops(operations);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (bfloat16) attributes.set_fpmath_mode(dnnl::fpmath_mode::bf16);
  return dnnl::convolution_forward::primitive_desc(
      onednn_engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, x,
      w, bias, y, {s.stride_y, s.stride_x}, {s.dilation_y - 1, s.dilation_x - 1},
      {s.pad_top, s.pad_left}, {s.pad_bottom, s.pad_right}, attributes);
}

// Bytes of the weights, rounded up to whole cache lines; the bias follows.
size_t bias_offset(const dnnl::convolution_forward::primitive_desc& description) {
  return (description.weights_desc().get_size() + 63) / 64 * 64;
}

template <bool kBfloat16>
bool supports(const KernelRequest& request) {
  if (kBfloat16 && !takes_bfloat16_products(request)) return false;
  const auto s = parse_conv(request);
  if (!s.ok() || request.threads != 1 || !has_constant_weights(request) ||
      !keeps_padding_zero(*s) || s->in_layout == Layout::kNchw8c ||
      s->out_layout == Layout::kNchw8c) {
    return false;
  }
  try {
    // The plain C++ reference would only waste the autotuner's time.
    return std::strstr(describe(*s, kBfloat16).impl_info_str(), "ref") == nullptr;
  } catch (const dnnl::error&) {
    return false;
  }
}

template <bool kBfloat16>
Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse_conv(request));
  try {
    const auto description = describe(s, kBfloat16);
    const size_t offset = bias_offset(description);
    const int64_t bytes = static_cast<int64_t>(offset) + s.out_blocks() * 64;
    EDGEWRIGHT_ASSIGN(Tensor packed, Tensor::allocate(DType::kUint8, {bytes}));
    const Desc plain(weight_dims(s), kFloat, s.group == 1 ? Tag::oihw : Tag::goihw);
    onednn_reorder(plain, request.inputs[1].constant->data<float>(), description.weights_desc(),
                   packed.mutable_bytes());
    pack_bias(request, s.out_channels, reinterpret_cast<float*>(packed.mutable_bytes() + offset));
    return packed;
  } catch (const dnnl::error& error) {
    return internal_error("oneDNN cannot pack a convolution: {}", error.what());
  }
}

template <bool kBfloat16>
Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse_conv(request));
  try {
    const auto description = describe(s, kBfloat16);
    const size_t offset = bias_offset(description);
    if (packed.size() != offset + static_cast<size_t>(s.out_blocks()) * 64) {
      return bad_input("packed weights of a oneDNN convolution have {} bytes", packed.size());
    }
    using From = OneDnnArgument::From;
    std::vector<OneDnnArgument> arguments = {
        {DNNL_ARG_SRC, description.src_desc(), From::kInput, 0},
        {DNNL_ARG_WEIGHTS, description.weights_desc(), From::kPacked, 0},
        {DNNL_ARG_BIAS, description.bias_desc(), From::kPacked, offset},
        {DNNL_ARG_DST, description.dst_desc(), From::kOutput, 0},
        {DNNL_ARG_SCRATCHPAD, description.scratchpad_desc(), From::kScratch, 0}};
    if (s.has_residual) {
      const bool first =
          s.epilogue.residual_before_activation || s.epilogue.activation == Activation::kNone;
      arguments.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(first ? 0 : 1) | DNNL_ARG_SRC_1,
                           description.dst_desc(), From::kInput, 3});
    }
    return Created(std::make_unique<OneDnnPrimitive>(
        dnnl::convolution_forward(description), std::move(arguments),
        description.scratchpad_desc().get_size(), packed));
  } catch (const dnnl::error& error) {
    return internal_error("oneDNN cannot make a convolution: {}", error.what());
  }
}

}  // namespace

ImplementationFunctions conv_onednn() { return {supports<false>, pack<false>, create<false>}; }
ImplementationFunctions conv_onednn_bfloat16() {
  return {supports<true>, pack<true>, create<true>};
}

}  // namespace edgewright
