#include "profile/operator_cost.h"

#include <algorithm>
#include <array>
#include <map>

#include "runtime/place_values.h"

namespace edgewright {
namespace {

using Count = std::optional<int64_t>;

Count product(std::initializer_list<Count> factors) {
  int64_t result = 1;
  for (const Count& factor : factors) {
    if (!factor || __builtin_mul_overflow(result, *factor, &result)) return std::nullopt;
  }
  return result;
}

Count elements(const CountedOperand& operand) {
  if (!operand.dims) return std::nullopt;
  const auto count = checked_element_count(*operand.dims);
  return count.ok() ? Count(*count) : std::nullopt;
}

const CountedOperand& at(const std::vector<CountedOperand>& operands, size_t i) {
  static const CountedOperand kAbsent;
  return i < operands.size() ? operands[i] : kAbsent;
}

// ---- Multiply-adds ----

// Every weight of an output channel is used once per output position.
Count convolution(const Operation& o, size_t weight_index) {
  const auto& weight = at(o.inputs, weight_index).dims;
  if (!weight || weight->size() < 3) return std::nullopt;
  const auto per_output = checked_element_count(std::span(*weight).subspan(1));
  return per_output.ok() ? product({elements(at(o.outputs, 0)), *per_output}) : std::nullopt;
}

Count conv(const Operation& o) { return convolution(o, 1); }
Count quantised_conv(const Operation& o) { return convolution(o, 3); }

// Every element of the input meets every weight of its output channels.
Count transposed_conv(const Operation& o) {
  const auto& weight = at(o.inputs, 1).dims;
  if (!weight || weight->size() < 3) return std::nullopt;
  const auto per_input = checked_element_count(std::span(*weight).subspan(1));
  return per_input.ok() ? product({elements(at(o.inputs, 0)), *per_input}) : std::nullopt;
}

Count matrix_product(const Operation& o) {
  const auto& a = at(o.inputs, 0).dims;
  if (!a || a->empty()) return std::nullopt;
  const bool transposed =
      o.attributes->get_int("transA", o.attributes->get_int("transpose_a", 0)) != 0;
  const int64_t inner = transposed && a->size() > 1 ? (*a)[a->size() - 2] : a->back();
  return product({elements(at(o.outputs, 0)), inner});
}

// Scores and weighted values over all heads. Tensors are [batch, length, heads * size] or
// [batch, heads, length, size]; a packed one is Q, K and V side by side.
Count attention(const Operation& o) {
  const auto& q = at(o.inputs, 0).dims;
  if (!q || q->size() < 3) return std::nullopt;
  const int64_t batch = q->front();
  const int64_t heads = o.attributes->get_int("num_heads", o.attributes->get_int("q_num_heads", 1));
  const int64_t kv_heads = o.attributes->get_int("kv_num_heads", heads == 0 ? 1 : heads);
  if (o.attributes->get_int("packed_qkv", 0) != 0 || o.op == "QuantizedAttention") {
    if (q->size() != 3 || heads + 2 * kv_heads < 1) return std::nullopt;
    const int64_t size = q->back() / (heads + 2 * kv_heads);
    return product({2, batch, heads, (*q)[1], (*q)[1], size});
  }
  const auto& k = at(o.inputs, 1).dims;
  const auto& y = at(o.outputs, 0).dims;
  if (!k || k->size() < 3 || !y) return std::nullopt;
  const bool split = q->size() == 4;
  const int64_t queries = split ? (*q)[2] : (*q)[1];
  const int64_t keys = k->size() == 4 ? (*k)[2] : (*k)[1];
  const int64_t q_width = split ? (*q)[1] * (*q)[3] : q->back();
  const int64_t v_width = y->size() == 4 ? (*y)[1] * (*y)[3] : y->back();
  return product({batch, queries, keys, q_width + v_width});
}

Count recurrence(const Operation& o) {
  const auto& x = at(o.inputs, 0).dims;
  const auto& w = at(o.inputs, 1).dims;
  const auto& r = at(o.inputs, 2).dims;
  if (!x || !w || !r || x->size() != 3 || w->size() != 3 || r->size() != 3) return std::nullopt;
  return product({(*x)[0], (*x)[1], (*w)[0], (*w)[1], (*w)[2] + (*r)[2]});
}

// The product of the sizes of all labels.
Count einsum(const Operation& o) {
  const std::string equation = o.attributes->get_string("equation", "");
  if (o.inputs.size() < 2 || equation.find('.') != std::string::npos) return std::nullopt;
  std::map<char, int64_t> sizes;
  size_t operand = 0, axis = 0;
  for (const char c : equation.substr(0, equation.find("->"))) {
    if (c == ' ') continue;
    if (c == ',') {
      ++operand;
      axis = 0;
      continue;
    }
    const auto& dims = at(o.inputs, operand).dims;
    if (!dims || axis >= dims->size()) return std::nullopt;
    sizes[c] = (*dims)[axis++];
  }
  int64_t total = 1;
  for (const auto& [label, size] : sizes) {
    if (__builtin_mul_overflow(total, size, &total)) return std::nullopt;
  }
  return total;
}

// ---- The table ----

struct OperatorRow {
  std::string_view op;
  WorkKind kind;
  // Operations per element of the output (of the input for kReduce), multiply-adds aside.
  int per_element = 0;
  Count (*multiply_adds)(const Operation&) = nullptr;
};

// Operators of every domain that we run, by name. What is missing here moves data once.
constexpr OperatorRow kRows[] = {
    {"Conv", WorkKind::kConvolution, 0, conv},
    {"Conv2d", WorkKind::kConvolution, 0, conv},
    {"ConvInteger", WorkKind::kConvolution, 0, conv},
    {"FusedConv", WorkKind::kConvolution, 0, conv},
    {"NhwcConv", WorkKind::kConvolution, 0, conv},
    {"QuantizedConv2d", WorkKind::kConvolution, 2, conv},
    {"QLinearConv", WorkKind::kConvolution, 0, quantised_conv},
    {"ConvTranspose", WorkKind::kConvolution, 0, transposed_conv},
    {"MatMul", WorkKind::kMatrix, 0, matrix_product},
    {"Gemm", WorkKind::kMatrix, 0, matrix_product},
    {"FusedGemm", WorkKind::kMatrix, 0, matrix_product},
    {"FusedMatMul", WorkKind::kMatrix, 0, matrix_product},
    {"MatMulInteger", WorkKind::kMatrix, 0, matrix_product},
    {"MatMulNBits", WorkKind::kMatrix, 0, matrix_product},
    {"DynamicQuantizeMatMul", WorkKind::kMatrix, 0, matrix_product},
    {"QuantizedMatMul", WorkKind::kMatrix, 2, matrix_product},
    {"QLinearMatMul", WorkKind::kMatrix, 0, matrix_product},
    {"QGemm", WorkKind::kMatrix, 0, matrix_product},
    {"Einsum", WorkKind::kMatrix, 0, einsum},
    {"Attention", WorkKind::kAttention, 0, attention},
    {"MultiHeadAttention", WorkKind::kAttention, 0, attention},
    {"GroupQueryAttention", WorkKind::kAttention, 0, attention},
    {"QuantizedAttention", WorkKind::kAttention, 0, attention},
    {"LSTM", WorkKind::kOther, 5, recurrence},
    {"GRU", WorkKind::kOther, 5, recurrence},
    {"RNN", WorkKind::kOther, 2, recurrence},
    {"Softmax", WorkKind::kNormalise, 5},
    {"LogSoftmax", WorkKind::kNormalise, 5},
    {"LayerNormalization", WorkKind::kNormalise, 8},
    {"SkipLayerNormalization", WorkKind::kNormalise, 9},
    {"SimplifiedLayerNormalization", WorkKind::kNormalise, 5},
    {"SkipSimplifiedLayerNormalization", WorkKind::kNormalise, 6},
    {"RMSNormalization", WorkKind::kNormalise, 5},
    {"GroupNormalization", WorkKind::kNormalise, 8},
    {"InstanceNormalization", WorkKind::kNormalise, 8},
    {"MeanVarianceNormalization", WorkKind::kNormalise, 8},
    {"LpNormalization", WorkKind::kNormalise, 4},
    {"LRN", WorkKind::kNormalise, 8},
    {"BatchNormalization", WorkKind::kElementwise, 2},
    {"RotaryEmbedding", WorkKind::kElementwise, 3},
    {"GlobalAveragePool", WorkKind::kReduce, 1},
    {"GlobalMaxPool", WorkKind::kReduce, 1},
    {"AveragePool", WorkKind::kReduce, 1},
    {"MaxPool", WorkKind::kReduce, 1},
    {"ReduceMean", WorkKind::kReduce, 1},
    {"ReduceSum", WorkKind::kReduce, 1},
    {"ReduceMax", WorkKind::kReduce, 1},
    {"ReduceMin", WorkKind::kReduce, 1},
    {"ReduceProd", WorkKind::kReduce, 1},
    {"ReduceL1", WorkKind::kReduce, 2},
    {"ReduceL2", WorkKind::kReduce, 2},
    {"ReduceSumSquare", WorkKind::kReduce, 2},
    {"ArgMax", WorkKind::kReduce, 1},
    {"ArgMin", WorkKind::kReduce, 1},
    {"CumSum", WorkKind::kReduce, 1},
    {"TopK", WorkKind::kOther, 0},
    {"NonMaxSuppression", WorkKind::kOther, 0},
    {"NonZero", WorkKind::kOther, 0},
    {"If", WorkKind::kOther, 0},
    {"Loop", WorkKind::kOther, 0},
    {"Scan", WorkKind::kOther, 0},
    {"Shape", WorkKind::kView, 0},
    {"Size", WorkKind::kView, 0},
    {"Reshape", WorkKind::kView, 0},
    {"Flatten", WorkKind::kView, 0},
    {"Squeeze", WorkKind::kView, 0},
    {"Unsqueeze", WorkKind::kView, 0},
    {"Identity", WorkKind::kView, 0},
    {"Constant", WorkKind::kView, 0},
};

// Operators that make every output element from one element of each input.
constexpr std::string_view kElementwise[] = {"Abs",
                                             "Add",
                                             "And",
                                             "Cast",
                                             "Ceil",
                                             "Celu",
                                             "Clip",
                                             "Cos",
                                             "Div",
                                             "Elu",
                                             "Equal",
                                             "Erf",
                                             "Exp",
                                             "Floor",
                                             "Gelu",
                                             "Greater",
                                             "GreaterOrEqual",
                                             "HardSigmoid",
                                             "HardSwish",
                                             "LeakyRelu",
                                             "Less",
                                             "LessOrEqual",
                                             "Log",
                                             "Max",
                                             "Mean",
                                             "Min",
                                             "Mish",
                                             "Mod",
                                             "Mul",
                                             "Neg",
                                             "Not",
                                             "Or",
                                             "PRelu",
                                             "Pow",
                                             "QuickGelu",
                                             "Reciprocal",
                                             "Relu",
                                             "Round",
                                             "Selu",
                                             "Sigmoid",
                                             "Sign",
                                             "Sin",
                                             "Softplus",
                                             "Softsign",
                                             "Sqrt",
                                             "Sub",
                                             "Sum",
                                             "Swish",
                                             "Tan",
                                             "Tanh",
                                             "ThresholdedRelu",
                                             "Where",
                                             "Xor",
                                             "QuantizeLinear",
                                             "DequantizeLinear",
                                             "DynamicQuantizeLinear",
                                             "BiasGelu",
                                             "FastGelu"};

// Operators that read as much of input 0 as they write.
constexpr std::string_view kSelects[] = {"Gather", "GatherElements", "GatherND", "Slice",
                                         "Resize", "GridSample",     "Split"};

OperatorRow row_of(std::string_view op) {
  const auto row = std::ranges::find(kRows, op, &OperatorRow::op);
  if (row != std::end(kRows)) return *row;
  if (std::ranges::find(kElementwise, op) != std::end(kElementwise)) {
    return {op, WorkKind::kElementwise, 1};
  }
  return {op, WorkKind::kMove, 0};
}

// An element-wise program has one statement for each operation.
OperatorRow row_of(const Operation& operation) {
  if (operation.op != "Elementwise") return row_of(operation.op);
  const std::string program = operation.attributes->get_string("program", "");
  const auto statements = 1 + std::ranges::count(program, ';');
  return {"Elementwise", WorkKind::kElementwise, static_cast<int>(statements)};
}

// The operations that are fused behind a convolution or product, per output element.
int epilogue_operations(const Operation& operation) {
  if (operation.domain.empty()) return 0;
  const bool is_product = operation.op == "MatMul" || operation.op == "Conv2d";
  int count = operation.attributes->get_string("activation", "").empty() ? 0 : 1;
  // A residual in bytes is scaled and added; the factors of the sums are in the table.
  if (operation.op.starts_with("Quantized") && at(operation.inputs, 4).present()) count += 2;
  for (const size_t i : {size_t{2}, size_t{3}}) {
    if (is_product && at(operation.inputs, i).present()) ++count;
  }
  return count;
}

int64_t pool_window(const Operation& operation) {
  int64_t window = 1;
  for (const int64_t size : operation.attributes->get_ints("kernel_shape")) window *= size;
  return window;
}

WorkKind refined(const Operation& o, WorkKind kind) {
  if (kind == WorkKind::kConvolution) {
    const auto& weight = at(o.inputs, o.op == "QLinearConv" ? 3 : 1).dims;
    const bool depthwise = o.attributes->get_int("group", 1) > 1 && weight && weight->size() >= 3 &&
                           (*weight)[1] == 1 && o.op != "ConvTranspose";
    return depthwise ? WorkKind::kDepthwise : kind;
  }
  if (kind != WorkKind::kMatrix) return kind;
  const auto& y = at(o.outputs, 0).dims;
  if (!y || y->empty()) return kind;
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < y->size(); ++i) rows *= (*y)[i];
  return rows < kFewRows ? WorkKind::kVector : kind;
}

void count_flops(const Operation& o, const OperatorRow& row, Work& work) {
  if (row.multiply_adds != nullptr) {
    const Count count = row.multiply_adds(o);
    work.multiply_adds = count.value_or(0);
    work.complete = work.complete && count.has_value();
  }
  const bool of_input = row.kind == WorkKind::kReduce;
  const Count size = elements(of_input ? at(o.inputs, 0) : at(o.outputs, 0));
  int64_t other = size.value_or(0) * (row.per_element + epilogue_operations(o));
  if (row.op == "MaxPool" || row.op == "AveragePool") {
    other = elements(at(o.outputs, 0)).value_or(0) * pool_window(o);
  }
  // Each score is scaled, compared, subtracted, exponentiated and summed.
  if (row.kind == WorkKind::kAttention && at(o.inputs, 0).dims) {
    const int64_t width = std::max<int64_t>(1, at(o.inputs, 0).dims->back());
    other += work.multiply_adds / width * 5;
  }
  work.flops = 2 * work.multiply_adds + other;
}

void count_bytes(const Operation& o, Work& work) {
  const bool selects = std::ranges::find(kSelects, o.op) != std::end(kSelects);
  for (const CountedOperand& output : o.outputs) {
    if (!output.present()) continue;
    work.bytes_written += output.size_bytes;
    work.complete = work.complete && output.dims.has_value();
  }
  for (size_t i = 0; i < o.inputs.size(); ++i) {
    const CountedOperand& input = o.inputs[i];
    if (!input.present()) continue;
    int64_t bytes = input.size_bytes;
    if (selects && i == 0) bytes = std::min(bytes, work.bytes_written);
    if (input.is_constant && !selects) work.weight_count += elements(input).value_or(0);
    if (input.is_constant && o.packed_bytes > 0) continue;
    if (input.is_constant) work.weight_bytes += bytes;
    work.bytes_read += bytes;
  }
  work.weight_bytes += o.packed_bytes;
  work.bytes_read += o.packed_bytes;
}

CountedOperand operand_of(const Value* value) {
  CountedOperand operand;
  if (value == nullptr) return operand;
  operand.dtype = value->type.dtype == DType::kUndefined ? DType::kFloat32 : value->type.dtype;
  operand.is_constant = value->is_constant();
  if (value->is_constant()) {
    operand.dims = value->constant->dims();
  } else if (value->type.shape) {
    operand.dims = known_dims(*value->type.shape);
  }
  if (const Count count = elements(operand)) {
    operand.size_bytes =
        static_cast<int64_t>(dtype_bytes(operand.dtype, static_cast<size_t>(*count)));
  }
  return operand;
}

CountedOperand operand_of(const Plan& plan, int32_t index) {
  CountedOperand operand;
  if (index < 0) return operand;
  const PlanValue& value = plan.values[static_cast<size_t>(index)];
  operand.dtype = value.dtype == DType::kUndefined ? DType::kFloat32 : value.dtype;
  operand.is_constant = value.storage == Storage::kConstant;
  if (value.has_shape && std::ranges::all_of(value.dims, [](int64_t d) { return d >= 0; })) {
    operand.dims = value.dims;
  }
  operand.size_bytes = static_cast<int64_t>(value.size_bytes);
  return operand;
}

}  // namespace

std::string_view work_kind_name(WorkKind kind) {
  constexpr std::array<std::string_view, 11> kNames = {
      "convolution", "depthwise", "matrix", "vector", "attention", "elementwise",
      "normalise",   "reduce",    "move",   "view",   "other"};
  return kNames[static_cast<size_t>(kind)];
}

Operation operation_of(const Node& node) {
  Operation operation{node.name, node.domain, node.op, &node.attributes, {}, {}, 0};
  for (const Value* input : node.inputs) operation.inputs.push_back(operand_of(input));
  for (const Value* output : node.outputs) operation.outputs.push_back(operand_of(output));
  return operation;
}

Operation operation_of(const Plan& plan, const PlanStep& step) {
  Operation operation{step.name, step.domain, step.op, &step.attributes, {}, {}, 0};
  operation.moves_nothing = parts_lie_in_place(plan, step);
  for (const int32_t input : step.inputs) operation.inputs.push_back(operand_of(plan, input));
  for (const int32_t output : step.outputs) operation.outputs.push_back(operand_of(plan, output));
  if (!step.packed.empty_handle()) {
    operation.packed_bytes = static_cast<int64_t>(step.packed.size_bytes());
  }
  return operation;
}

Work work_of(const Operation& operation) {
  const OperatorRow row = row_of(operation);
  Work work;
  work.kind = operation.moves_nothing ? WorkKind::kView : refined(operation, row.kind);
  if (work.kind == WorkKind::kView) return work;
  count_bytes(operation, work);
  count_flops(operation, row, work);
  // What is computed on is the type of the first operand; quantised products accumulate wider.
  const CountedOperand& first = at(operation.inputs, 0);
  if (first.present()) work.compute_dtype = first.dtype;
  // Its input is rounded on the way.
  if (operation.op == "QuantizedAttention") work.compute_dtype = DType::kInt8;
  return work;
}

}  // namespace edgewright
