// edgewright::MatMul with a constant right side by oneDNN.
#include <algorithm>
#include <cstring>

#include "kernels/matmul/matmul_kernels.h"
#include "kernels/matmul/matmul_shape.h"
#include "kernels/onednn/primitive_onednn.h"

namespace edgewright {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto kFloat = dnnl::memory::data_type::f32;

dnnl::matmul::primitive_desc describe(const MatMulShape& s, bool bfloat16) {
  const Desc a({s.m, s.k}, kFloat, s.transpose_a ? Tag::ba : Tag::ab);
  const Desc b({s.k, s.n}, kFloat, Tag::any);
  const Desc bias({1, s.n}, kFloat, Tag::ab);
  const Desc y({s.m, s.n}, kFloat, Tag::ab);
  dnnl::post_ops operations;
  dnnl::primitive_attr attributes;
  if (!onednn_post_operations(s.epilogue, s.has_residual ? &y : nullptr, operations)) {
    throw dnnl::error(dnnl_unimplemented, "activation");
  }
  attributes.set_post_ops(operations);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (bfloat16) attributes.set_fpmath_mode(dnnl::fpmath_mode::bf16);
  return dnnl::matmul::primitive_desc(onednn_engine(), a, b, bias, y, attributes);
}

size_t bias_offset(const dnnl::matmul::primitive_desc& description) {
  return (description.weights_desc().get_size() + 63) / 64 * 64;
}

template <bool kBfloat16>
bool supports(const KernelRequest& request) {
  if (kBfloat16 && !takes_bfloat16_products(request)) return false;
  const auto s = parse_matmul(request);
  if (!s.ok() || request.threads != 1 || s->batch != 1 || s->scale != 1.0f ||
      request.inputs[1].constant == nullptr ||
      (s->has_bias && request.inputs[2].constant == nullptr)) {
    return false;
  }
  try {
    return std::strstr(describe(*s, kBfloat16).impl_info_str(), "ref") == nullptr;
  } catch (const dnnl::error&) {
    return false;
  }
}

template <bool kBfloat16>
Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const MatMulShape s, parse_matmul(request));
  try {
    const auto description = describe(s, kBfloat16);
    const size_t offset = bias_offset(description);
    const int64_t bytes = static_cast<int64_t>(offset) + s.panels() * 64;
    EDGEWRIGHT_ASSIGN(Tensor packed, Tensor::allocate(DType::kUint8, {bytes}));
    const Desc plain({s.k, s.n}, kFloat, s.transpose_b ? Tag::ba : Tag::ab);
    onednn_reorder(plain, request.inputs[1].constant->data<float>(), description.weights_desc(),
                   packed.mutable_bytes());
    if (s.has_bias) {
      const auto bias = request.inputs[2].constant->elements<float>();
      std::copy(bias.begin(), bias.end(),
                reinterpret_cast<float*>(packed.mutable_bytes() + offset));
    }
    return packed;
  } catch (const dnnl::error& error) {
    return internal_error("oneDNN cannot pack a matrix: {}", error.what());
  }
}

template <bool kBfloat16>
Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const MatMulShape s, parse_matmul(request));
  try {
    const auto description = describe(s, kBfloat16);
    const size_t offset = bias_offset(description);
    if (packed.size() != offset + static_cast<size_t>(s.panels()) * 64) {
      return bad_input("packed matrix of oneDNN has {} bytes", packed.size());
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
    return Created(
        std::make_unique<OneDnnPrimitive>(dnnl::matmul(description), std::move(arguments),
                                          description.scratchpad_desc().get_size(), packed));
  } catch (const dnnl::error& error) {
    return internal_error("oneDNN cannot make a matrix product: {}", error.what());
  }
}

}  // namespace

ImplementationFunctions matmul_onednn() { return {supports<false>, pack<false>, create<false>}; }
ImplementationFunctions matmul_onednn_bfloat16() {
  return {supports<true>, pack<true>, create<true>};
}

}  // namespace edgewright
