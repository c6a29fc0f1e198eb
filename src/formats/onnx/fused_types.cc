// Output types of operators that no ONNX schema describes, as their documentation in ONNX Runtime
// (docs/ContribOperators.md) gives them.
#include "formats/onnx/fused_types.h"

#include <algorithm>

namespace edgewright::onnx_io {
namespace {

// What is known of an input; null without a type or rank.
const Shape* shape_of(const Node& node, size_t i) {
  const Value* value = node.input(i);
  return value != nullptr && value->type.is_tensor() && value->type.shape ? &*value->type.shape
                                                                          : nullptr;
}

const Shape* shape_of_rank(const Node& node, size_t i, size_t rank) {
  const Shape* shape = shape_of(node, i);
  return shape != nullptr && shape->size() == rank ? shape : nullptr;
}

DType dtype_of(const Node& node, size_t i) {
  const Value* value = node.input(i);
  return value != nullptr ? value->type.dtype : DType::kUndefined;
}

void set_type(Node& node, size_t i, DType dtype, std::optional<Shape> shape) {
  Value* output = node.output(i);
  if (output == nullptr || dtype == DType::kUndefined) return;
  if (!shape && output->type.is_tensor()) shape = output->type.shape;
  output->type = ValueType::tensor(dtype, std::move(shape));
}

std::optional<Shape> shape_or_nothing(const Shape* shape) {
  return shape == nullptr ? std::nullopt : std::optional<Shape>(*shape);
}

void like_input(Node& node, size_t output, size_t input) {
  set_type(node, output, dtype_of(node, input), shape_or_nothing(shape_of(node, input)));
}

void like_first(Node& node) { like_input(node, 0, 0); }

Dim broadcast_dim(const Dim& a, const Dim& b) {
  if (a == Dim(1)) return b;
  if (b == Dim(1) || a == b) return a;
  if (a.is_known() && a.value > 1) return a;
  if (b.is_known() && b.value > 1) return b;
  return {};
}

std::optional<Shape> broadcast(const Shape* a, const Shape* b) {
  if (a == nullptr || b == nullptr) return std::nullopt;
  Shape shape(std::max(a->size(), b->size()), Dim(1));
  std::copy_backward(a->begin(), a->end(), shape.end());
  for (size_t i = 0; i < b->size(); ++i) {
    Dim& dim = shape[shape.size() - b->size() + i];
    dim = broadcast_dim(dim, (*b)[i]);
  }
  return shape;
}

// A, A_scale, A_zero_point, B, ...
void broadcast_quantized(Node& node) {
  set_type(node, 0, dtype_of(node, 0), broadcast(shape_of(node, 0), shape_of(node, 3)));
}

std::optional<Shape> with_last(const Shape* shape, const Dim& last) {
  if (shape == nullptr || shape->empty()) return std::nullopt;
  Shape result = *shape;
  result.back() = last;
  return result;
}

std::optional<Shape> matmul_shape(const Shape* a, const Shape* b, bool transpose_a,
                                  bool transpose_b) {
  if (a == nullptr || b == nullptr || a->size() < 2 || b->size() < 2) return std::nullopt;
  Shape x = *a;
  Shape y = *b;
  if (transpose_a) std::swap(x[x.size() - 1], x[x.size() - 2]);
  if (transpose_b) std::swap(y[y.size() - 1], y[y.size() - 2]);
  const Dim rows = x[x.size() - 2];
  const Dim columns = y.back();
  x.resize(x.size() - 2);
  y.resize(y.size() - 2);
  auto shape = broadcast(&x, &y);
  shape->push_back(rows);
  shape->push_back(columns);
  return shape;
}

void matmul(Node& node) {
  if (node.attributes.get_int("transBatchA", 0) != 0 ||
      node.attributes.get_int("transBatchB", 0) != 0) {
    return set_type(node, 0, dtype_of(node, 0), std::nullopt);
  }
  set_type(
      node, 0, dtype_of(node, 0),
      matmul_shape(shape_of(node, 0), shape_of(node, 1), node.attributes.get_int("transA", 0) != 0,
                   node.attributes.get_int("transB", 0) != 0));
}

void matmul_to_float(Node& node) {
  set_type(node, 0, DType::kFloat32,
           matmul_shape(shape_of(node, 0), shape_of(node, 1), false, false));
}

// MatMulIntegerToFloat: the element type is that of the scales.
void matmul_integer_to_float(Node& node) {
  set_type(node, 0, dtype_of(node, 2),
           matmul_shape(shape_of(node, 0), shape_of(node, 1), false, false));
}

void matmul_nbits(Node& node) {
  set_type(node, 0, dtype_of(node, 0),
           with_last(shape_of(node, 0), Dim(node.attributes.get_int("N", -1))));
}

// a, a_scale, a_zero_point, b, b_scale, b_zero_point, C, y_scale, y_zero_point
void quantized_gemm(Node& node) {
  const bool quantized = node.input(7) != nullptr;
  set_type(
      node, 0, quantized ? dtype_of(node, 0) : DType::kFloat32,
      matmul_shape(shape_of(node, 0), shape_of(node, 3), node.attributes.get_int("transA", 0) != 0,
                   node.attributes.get_int("transB", 0) != 0));
}

// output, mean, inverse standard deviation, sum of input, skip and bias
void skip_layer_normalization(Node& node) {
  like_input(node, 0, 0);
  for (size_t i = 1; i <= 2; ++i) {
    set_type(node, i, DType::kFloat32, with_last(shape_of(node, 0), Dim(1)));
  }
  like_input(node, 3, 0);
}

void simplified_layer_normalization(Node& node) {
  like_input(node, 0, 0);
  set_type(node, 1, DType::kFloat32, std::nullopt);
}

// input ids, segment ids, word, position and segment embedding, gamma, beta, mask, position ids
void embed_layer_normalization(Node& node) {
  const Shape* ids = shape_of_rank(node, 0, 2);
  const Shape* words = shape_of_rank(node, 2, 2);
  std::optional<Shape> shape;
  if (ids != nullptr && words != nullptr) shape = Shape{(*ids)[0], (*ids)[1], (*words)[1]};
  set_type(node, 0, dtype_of(node, 2), shape);
  set_type(node, 1, DType::kInt32, ids == nullptr ? std::nullopt : std::optional(Shape{(*ids)[0]}));
  set_type(node, 2, dtype_of(node, 2), shape);
}

// input [B,S,D], weights [D,3H]: output [B,S,H], present [2,B,heads,?,size]
void attention(Node& node) {
  const Shape* input = shape_of_rank(node, 0, 3);
  const Shape* weights = shape_of_rank(node, 1, 2);
  const auto sizes = node.attributes.get_ints("qkv_hidden_sizes");
  Dim hidden;
  if (sizes.size() == 3) {
    hidden = Dim(sizes[2]);
  } else if (weights != nullptr && (*weights)[1].is_known()) {
    hidden = Dim((*weights)[1].value / 3);
  }
  set_type(node, 0, dtype_of(node, 0), with_last(input, hidden));
  const int64_t heads = node.attributes.get_int("num_heads", 0);
  if (input == nullptr || heads <= 0) return set_type(node, 1, dtype_of(node, 0), std::nullopt);
  const Dim size = hidden.is_known() ? Dim(hidden.value / heads) : Dim();
  set_type(node, 1, dtype_of(node, 0), Shape{Dim(2), (*input)[0], Dim(heads), Dim(), size});
}

// [B,S,heads*size] or [B,heads,S,size] -> [B,heads,?,size]
std::optional<Shape> present_shape(const Shape* input, int64_t heads) {
  if (input == nullptr || heads <= 0) return std::nullopt;
  if (input->size() == 4) return Shape{(*input)[0], Dim(heads), Dim(), (*input)[3]};
  if (input->size() != 3) return std::nullopt;
  const Dim& hidden = (*input)[2];
  const Dim size = hidden.is_known() ? Dim(hidden.value / heads) : Dim();
  return Shape{(*input)[0], Dim(heads), Dim(), size};
}

// query, key, value: output [B,S,Hv], present key and value
void multi_head_attention(Node& node) {
  const Shape* query = shape_of(node, 0);
  const Shape* value = shape_of(node, 2);
  const int64_t heads = node.attributes.get_int("num_heads", 0);
  std::optional<Shape> shape;
  if (query != nullptr && query->size() == 3) {
    shape = *query;
    if (value != nullptr && value->size() == 3) shape->back() = value->back();
    if (value != nullptr && value->size() == 4) {
      const Dim& size = value->back();
      shape->back() = size.is_known() ? Dim(size.value * heads) : Dim();
    }
  } else if (query != nullptr && query->size() == 5) {
    const Dim& size = query->back();
    shape = Shape{(*query)[0], (*query)[1], size.is_known() ? Dim(size.value * heads) : Dim()};
  }
  set_type(node, 0, dtype_of(node, 0), shape);
  set_type(node, 1, dtype_of(node, 0), present_shape(shape_of(node, 1), heads));
  set_type(node, 2, dtype_of(node, 0), present_shape(value, heads));
}

// query (or packed qkv), key, value, past key, past value
void group_query_attention(Node& node) {
  const Shape* query = shape_of_rank(node, 0, 3);
  const int64_t heads = node.attributes.get_int("num_heads", 0);
  const int64_t kv_heads = node.attributes.get_int("kv_num_heads", 0);
  const bool packed = node.input(1) == nullptr;
  std::optional<Shape> shape = shape_or_nothing(query);
  Dim size;
  if (shape && shape->back().is_known() && heads > 0 && kv_heads >= 0) {
    size = Dim(shape->back().value / (packed ? heads + 2 * kv_heads : heads));
  }
  if (shape && packed) shape->back() = size.is_known() ? Dim(size.value * heads) : Dim();
  const Dim batch = query == nullptr ? Dim() : (*query)[0];
  set_type(node, 0, dtype_of(node, 0), shape);
  for (size_t i = 1; i <= 2; ++i) {
    const DType dtype = node.input(2 + i) != nullptr ? dtype_of(node, 2 + i) : dtype_of(node, 0);
    set_type(node, i, dtype, Shape{batch, Dim(kv_heads), Dim(), size});
  }
}

void bias_dropout(Node& node) {
  like_input(node, 0, 0);
  set_type(node, 1, DType::kBool, shape_or_nothing(shape_of(node, 0)));
}

void dynamic_quantize_matmul(Node& node) {
  set_type(node, 0, dtype_of(node, 0),
           matmul_shape(shape_of(node, 0), shape_of(node, 1), false, false));
}

// Halves the last dimension (value and gate).
void bias_split_gelu(Node& node) {
  const Shape* shape = shape_of(node, 0);
  const bool known = shape != nullptr && !shape->empty() && shape->back().is_known();
  set_type(node, 0, dtype_of(node, 0),
           with_last(shape, known ? Dim(shape->back().value / 2) : Dim()));
}

// y_scale, y_zero_point, then data, scale and zero point of every part
void quantized_concat(Node& node) { set_type(node, 0, dtype_of(node, 2), std::nullopt); }

// x, x_scale, x_zero_point, y_scale, y_zero_point
void quantized_global_average_pool(Node& node) {
  auto shape = shape_or_nothing(shape_of(node, 0));
  const bool last = node.attributes.get_int("channels_last", 0) != 0;
  if (shape && shape->size() > 2) {
    for (size_t i = last ? 1 : 2; i < shape->size() - (last ? 1 : 0); ++i) (*shape)[i] = Dim(1);
  }
  set_type(node, 0, dtype_of(node, 0), shape);
}

int64_t at_or(const std::vector<int64_t>& list, size_t i, int64_t otherwise) {
  return i < list.size() ? list[i] : otherwise;
}

// One spatial dimension of a convolution with channels last; kernels are [M,C/g,k...].
Dim convolved(const Node& node, const Dim& in, const Dim& kernel, size_t axis, size_t spatial) {
  const Attributes& a = node.attributes;
  const std::string auto_pad = a.get_string("auto_pad", "NOTSET");
  const int64_t stride = at_or(a.get_ints("strides"), axis, 1);
  if (!in.is_known() || !kernel.is_known() || stride < 1) return {};
  if (auto_pad.starts_with("SAME")) return Dim((in.value + stride - 1) / stride);
  const auto pads = a.get_ints("pads");
  const int64_t padding = at_or(pads, axis, 0) + at_or(pads, axis + spatial, 0);
  const int64_t window = (kernel.value - 1) * at_or(a.get_ints("dilations"), axis, 1) + 1;
  const int64_t room = in.value + padding - window;
  return room < 0 ? Dim() : Dim(room / stride + 1);
}

void nhwc_conv_of(Node& node, size_t weights_input) {
  const Shape* x = shape_of(node, 0);
  const Shape* w = shape_of(node, weights_input);
  if (x == nullptr || w == nullptr || x->size() != w->size() || x->size() < 3) {
    return set_type(node, 0, dtype_of(node, 0), std::nullopt);
  }
  const size_t spatial = x->size() - 2;
  const bool last =
      !node.is("QLinearConv", "com.microsoft") || node.attributes.get_int("channels_last", 0) != 0;
  Shape shape(x->size());
  shape[0] = (*x)[0];
  shape[last ? x->size() - 1 : 1] = (*w)[0];
  const size_t first = last ? 1 : 2;
  for (size_t i = 0; i < spatial; ++i) {
    shape[first + i] = convolved(node, (*x)[first + i], (*w)[2 + i], i, spatial);
  }
  set_type(node, 0, dtype_of(node, 0), shape);
}

void nhwc_conv(Node& node) { nhwc_conv_of(node, 1); }
void quantized_conv(Node& node) { nhwc_conv_of(node, 3); }

struct FusedTypes {
  std::string_view domain;
  std::string_view op;
  void (*infer)(Node&);
};

constexpr std::string_view kMicrosoft = "com.microsoft";

constexpr FusedTypes kFusedTypes[] = {
    {"", "SimplifiedLayerNormalization", simplified_layer_normalization},
    {kMicrosoft, "SimplifiedLayerNormalization", simplified_layer_normalization},
    {kMicrosoft, "SkipLayerNormalization", skip_layer_normalization},
    {kMicrosoft, "SkipSimplifiedLayerNormalization", skip_layer_normalization},
    {kMicrosoft, "EmbedLayerNormalization", embed_layer_normalization},
    {kMicrosoft, "Attention", attention},
    {kMicrosoft, "MultiHeadAttention", multi_head_attention},
    {kMicrosoft, "GroupQueryAttention", group_query_attention},
    {kMicrosoft, "RotaryEmbedding", like_first},
    {kMicrosoft, "GemmaRotaryEmbedding", like_first},
    {kMicrosoft, "FastGelu", like_first},
    {kMicrosoft, "BiasGelu", like_first},
    {kMicrosoft, "QuickGelu", like_first},
    {kMicrosoft, "BiasSoftmax", like_first},
    {kMicrosoft, "BiasAdd", like_first},
    {kMicrosoft, "GroupNorm", like_first},
    {kMicrosoft, "BiasSplitGelu", bias_split_gelu},
    {kMicrosoft, "BiasDropout", bias_dropout},
    {kMicrosoft, "FusedMatMul", matmul},
    {kMicrosoft, "TransposeMatMul", matmul},
    {kMicrosoft, "FusedMatMulActivation", matmul},
    {kMicrosoft, "MatMulNBits", matmul_nbits},
    {kMicrosoft, "MatMulBnb4", matmul_nbits},
    {kMicrosoft, "MatMulIntegerToFloat", matmul_integer_to_float},
    {kMicrosoft, "MatMulInteger16",
     [](Node& node) {
       set_type(node, 0, DType::kInt32,
                matmul_shape(shape_of(node, 0), shape_of(node, 1), false, false));
     }},
    {kMicrosoft, "DynamicQuantizeMatMul", dynamic_quantize_matmul},
    {kMicrosoft, "SparseToDenseMatMul", matmul_to_float},
    {kMicrosoft, "QGemm", quantized_gemm},
    {kMicrosoft, "QLinearAdd", broadcast_quantized},
    {kMicrosoft, "QLinearMul", broadcast_quantized},
    {kMicrosoft, "QLinearSigmoid", like_first},
    {kMicrosoft, "QLinearLeakyRelu", like_first},
    {kMicrosoft, "QLinearSoftmax", like_first},
    {kMicrosoft, "QLinearConcat", quantized_concat},
    {kMicrosoft, "QLinearGlobalAveragePool", quantized_global_average_pool},
    {kMicrosoft, "QLinearConv", quantized_conv},
    {kMicrosoft, "NhwcFusedConv", nhwc_conv},
    {kMicrosoft, "NhwcConv", nhwc_conv},
    {"com.ms.internal.nhwc", "Conv", nhwc_conv},
};

}  // namespace

void infer_fused_types(Node& node) {
  const auto it = std::ranges::find_if(
      kFusedTypes, [&](const FusedTypes& row) { return node.is(row.op, row.domain); });
  if (it != std::end(kFusedTypes)) it->infer(node);
}

}  // namespace edgewright::onnx_io
