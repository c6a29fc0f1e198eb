#include "formats/coreml/names.h"

#include <algorithm>
#include <array>

#include "formats/coreml/import.h"

namespace edgewright::coreml {
namespace {

constexpr std::array kUnary = std::to_array<NameRow>({
    {"Abs", "abs"},   {"Atan", "atan"},         {"Ceil", "ceil"},         {"Cos", "cos"},
    {"Erf", "erf"},   {"Exp", "exp"},           {"Floor", "floor"},       {"Identity", "identity"},
    {"Relu", "relu"}, {"Round", "round"},       {"Sigmoid", "sigmoid"},   {"Sign", "sign"},
    {"Sin", "sin"},   {"Softplus", "softplus"}, {"Softsign", "softsign"}, {"Sqrt", "sqrt"},
    {"Tan", "tan"},   {"Tanh", "tanh"},         {"Not", "logical_not"},   {"Acos", "acos"},
    {"Asin", "asin"}, {"Atanh", "atanh"},       {"Cosh", "cosh"},         {"Sinh", "sinh"},
});
constexpr std::array kBinary = std::to_array<NameRow>({
    {"Add", "add"},
    {"Sub", "sub"},
    {"Mul", "mul"},
    {"Div", "real_div"},
    {"Pow", "pow"},
    {"Max", "maximum"},
    {"Min", "minimum"},
    {"Equal", "equal"},
    {"Greater", "greater"},
    {"Less", "less"},
    {"And", "logical_and"},
    {"Or", "logical_or"},
    {"Xor", "logical_xor"},
    {"GreaterOrEqual", "greater_equal"},
    {"LessOrEqual", "less_equal"},
    {"Sum", "add"},
});
constexpr std::array kReductions = std::to_array<NameRow>({
    {"ReduceMean", "reduce_mean"},
    {"ReduceSum", "reduce_sum"},
    {"ReduceMax", "reduce_max"},
    {"ReduceMin", "reduce_min"},
    {"ReduceProd", "reduce_prod"},
    {"ReduceL1", "reduce_l1_norm"},
    {"ReduceL2", "reduce_l2_norm"},
    {"ReduceSumSquare", "reduce_sum_square"},
    {"ReduceLogSum", "reduce_log_sum"},
    {"ReduceLogSumExp", "reduce_log_sum_exp"},
    {"GlobalAveragePool", "reduce_mean"},
    {"GlobalMaxPool", "reduce_max"},
});

// The other operations of MIL (coremltools 9.0, operators of iOS 15 to iOS 18), which are not read.
constexpr std::string_view kOthers[] = {
    "affine",
    "argsort",
    "band_part",
    "batch_to_space",
    "clamped_relu",
    "classify",
    "cond",
    "constexpr_blockwise_shift_scale",
    "constexpr_cast",
    "constexpr_lut_to_dense",
    "constexpr_lut_to_sparse",
    "constexpr_sparse_blockwise_shift_scale",
    "constexpr_sparse_to_dense",
    "conv_quantized",
    "crop",
    "crop_resize",
    "cumsum",
    "einsum",
    "exp2",
    "fill",
    "fill_like",
    "flatten2d",
    "floor_div",
    "gather_along_axis",
    "gather_nd",
    "gru",
    "l2_norm",
    "l2_pool",
    "linear_activation",
    "list_gather",
    "list_length",
    "list_read",
    "list_scatter",
    "list_write",
    "lstm",
    "make_list",
    "mod",
    "non_maximum_suppression",
    "non_zero",
    "one_hot",
    "pixel_unshuffle",
    "random_bernoulli",
    "random_categorical",
    "random_normal",
    "random_uniform",
    "range_1d",
    "read_state",
    "resample",
    "reshape_like",
    "resize",
    "resize_bilinear",
    "resize_nearest_neighbor",
    "reverse",
    "reverse_sequence",
    "rnn",
    "scaled_dot_product_attention",
    "scaled_tanh",
    "scatter",
    "scatter_along_axis",
    "scatter_nd",
    "shape",
    "slice_by_size",
    "slice_update",
    "sliding_windows",
    "softplus_parametric",
    "space_to_batch",
    "threshold",
    "thresholded_relu",
    "topk",
    "while_loop",
};

}  // namespace

std::span<const NameRow> unary_names() { return kUnary; }
std::span<const NameRow> binary_names() { return kBinary; }
std::span<const NameRow> reduction_names() { return kReductions; }

bool is_known_operation(std::string_view type) {
  return std::ranges::find(kOthers, type) != std::end(kOthers);
}

}  // namespace edgewright::coreml
