// Matrix products, softmax and reductions.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/tflite/emit.h"
#include "formats/tflite/names.h"
#include "formats/tflite/weights.h"

namespace edgewright::tflite_io {
namespace {

bool is_float(const Value* value) {
  return value != nullptr && value->type.dtype == DType::kFloat32;
}

// The transposed weights O I of a layer, and what follows it.
struct Layer {
  const Value* x;
  Weights weights;
  std::vector<int64_t> order;  // of the axes, so that outputs come first
  int64_t outputs;
  const Value* bias = nullptr;
  Tail tail;
  bool keeps_dims = false;
};

void emit_fully_connected(Emitter& emitter, const Layer& layer) {
  const bool integers = layer.weights.quant && layer.tail.quant && emitter.has_integer(layer.x);
  const int input = integers ? emitter.integer(layer.x) : emitter.real(layer.x);
  const int filter = add_weights(emitter, layer.weights, layer.order, 0);
  std::vector<int> inputs = {input, filter, -1};
  if (layer.bias != nullptr) {
    inputs[2] =
        add_bias(emitter, layer.bias, layer.outputs, layer.weights,
                 integers ? emitter.quant_of_tensor(input) : std::nullopt, layer.tail.value->name);
  }
  schema::FullyConnectedOptionsT options;
  options.fused_activation_function = layer.tail.activation;
  options.keep_num_dims = layer.keeps_dims;
  Emitter::Result1 result = Emitter::like(layer.tail.value);
  if (integers) {
    result.type = schema::TensorType::INT8;
    result.quant = layer.tail.quant;
  }
  // Versions: 5 keeps dimensions, 9 has float activations with int8 weights of a scale each.
  const int version = layer.weights.quant && !integers ? 9 : 5;
  emitter.finish(layer.tail, Layout::kPlain,
                 emitter.add(Operator::FULLY_CONNECTED, version, std::move(inputs), result,
                             std::move(options)));
}

// A constant of one number per output, with leading ones.
bool is_row(const Value* value, int64_t outputs) {
  if (value == nullptr || !is_float(value) || !has_bias(value)) return false;
  const Dims dims = dims_of(value);
  const int64_t count = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies());
  return !dims.empty() && dims.back() == outputs && count == outputs;
}

bool is_weight_matrix(const Value* value) {
  return has_weights(value) && dims_of(value).size() == 2;
}

bool is_matmul(const Node& node) {
  if (!is_float(node.input(0)) || !is_float(node.input(1))) return false;
  const size_t a = dims_of(node.inputs[0]).size(), b = dims_of(node.inputs[1]).size();
  return a >= 2 && b >= 2 && dims_of(node.outputs[0]).size() <= 5;
}

// The sum with a constant row that is all that reads the product, or null.
const Node* bias_sum(const Value* product, int64_t outputs) {
  if (product->uses.size() != 1 || product->is_graph_output()) return nullptr;
  const Use use = product->uses[0];
  if (!use.node->is("Add") || !is_row(use.node->input(1 - use.index), outputs)) return nullptr;
  return use.node;
}

Status emit_matmul(Emitter& emitter, const Node& node) {
  if (is_weight_matrix(node.inputs[1])) {
    Layer layer{node.inputs[0], weights_of(node.inputs[1]), {1, 0}, dims_of(node.inputs[1])[1]};
    layer.keeps_dims = true;
    const Value* product = node.outputs[0];
    if (const Node* sum = bias_sum(product, layer.outputs)) {
      layer.bias = sum->inputs[sum->inputs[0] == product ? 1 : 0];
      product = sum->outputs[0];
      emitter.absorb(sum);
    }
    layer.tail = emitter.tail_of(product);
    emit_fully_connected(emitter, layer);
    return {};
  }
  const Tail tail{node.outputs[0], Activation::NONE, Emitter::rounding_of(node.outputs[0])};
  const bool integers =
      tail.quant && emitter.has_integer(node.inputs[0]) && emitter.has_integer(node.inputs[1]);
  Emitter::Result1 result = Emitter::like(tail.value);
  std::vector<int> inputs;
  for (const Value* value : node.inputs) {
    inputs.push_back(integers ? emitter.integer(value) : emitter.real(value));
  }
  if (integers) {
    result.type = schema::TensorType::INT8;
    result.quant = tail.quant;
  }
  emitter.finish(tail, Layout::kPlain,
                 emitter.add(Operator::BATCH_MATMUL, integers ? 2 : 1, std::move(inputs), result,
                             schema::BatchMatMulOptionsT()));
  return {};
}

bool is_gemm(const Node& node) { return is_float(node.input(0)) && is_float(node.input(1)); }

// Whether FULLY_CONNECTED says it: constant weights, nothing scaled, a bias of a number per output.
bool is_layer(const Node& node) {
  const Attributes& attributes = node.attributes;
  const Value* term = node.input(2);
  const bool bias = term == nullptr || is_row(term, dims_of(node.outputs[0])[1]) ||
                    (has_bias(term) && dims_of(term).empty());
  return is_weight_matrix(node.inputs[1]) && attributes.get_int("transA", 0) == 0 &&
         attributes.get_float("alpha", 1) == 1 && attributes.get_float("beta", 1) == 1 && bias;
}

// alpha A' B' + beta C, written out.
Status emit_written_out(Emitter& emitter, const Node& node) {
  const Attributes& attributes = node.attributes;
  const Emitter::Result1 result = Emitter::like(node.outputs[0]);
  const float alpha = attributes.get_float("alpha", 1), beta = attributes.get_float("beta", 1);
  schema::BatchMatMulOptionsT options;
  options.adj_x = attributes.get_int("transA", 0) != 0;
  options.adj_y = attributes.get_int("transB", 0) != 0;
  int tensor =
      emitter.add(Operator::BATCH_MATMUL, 1,
                  {emitter.real(node.inputs[0]), emitter.real(node.inputs[1])}, result, options);
  if (alpha != 1) {
    tensor = emitter.add(Operator::MUL, 1, {tensor, emitter.number(alpha)}, result,
                         schema::MulOptionsT());
  }
  if (const Value* term = node.input(2)) {
    int addend = emitter.real(term);
    if (beta != 1) {
      addend = emitter.add(Operator::MUL, 1, {addend, emitter.number(beta)}, Emitter::like(term),
                           schema::MulOptionsT());
    }
    tensor = emitter.add(Operator::ADD, 1, {tensor, addend}, result, schema::AddOptionsT());
  }
  emitter.give(node.outputs[0], Layout::kPlain, Form::kReal, tensor);
  return {};
}

Status emit_gemm(Emitter& emitter, const Node& node) {
  if (!is_layer(node)) return emit_written_out(emitter, node);
  const bool transposed = node.attributes.get_int("transB", 0) != 0;
  Layer layer{node.inputs[0], weights_of(node.inputs[1]),
              transposed ? std::vector<int64_t>{0, 1} : std::vector<int64_t>{1, 0},
              dims_of(node.outputs[0])[1]};
  layer.bias = node.input(2);
  layer.tail = emitter.tail_of(node);
  emit_fully_connected(emitter, layer);
  return {};
}

// (x - mean) / sqrt(variance + epsilon) scale + shift. The definition of ONNX takes the difference
// of two means of squares, which loses digits where the mean is large.
bool normalises_layer(const Node& node) {
  return is_float(node.input(0)) && node.output(1) == nullptr && node.output(2) == nullptr;
}
Status emit_layer_normalization(Emitter& emitter, const Node& node) {
  const size_t rank = dims_of(node.inputs[0]).size();
  const int64_t first = axis_in(Layout::kPlain, node.attributes.get_int("axis", -1), rank);
  std::vector<int64_t> axes(rank - static_cast<size_t>(first));
  std::iota(axes.begin(), axes.end(), first);
  const Emitter::Result1 whole = Emitter::like(node.outputs[0]);
  Emitter::Result1 one = whole;
  for (const int64_t axis : axes) one.dims[static_cast<size_t>(axis)] = 1;
  const int over = emitter.ints(axes), x = emitter.real(node.inputs[0]);
  const auto mean = [&](int tensor) {
    schema::ReducerOptionsT options;
    options.keep_dims = true;
    return emitter.add(Operator::MEAN, 1, {tensor, over}, one, std::move(options));
  };
  const int centred = emitter.add(Operator::SUB, 1, {x, mean(x)}, whole, schema::SubOptionsT());
  const auto product = [&](int a, int b) {
    return emitter.add(Operator::MUL, 1, {a, b}, whole, schema::MulOptionsT());
  };
  const int epsilon = emitter.number(node.attributes.get_float("epsilon", 1e-5f));
  const int variance = emitter.add(Operator::ADD, 1, {mean(product(centred, centred)), epsilon},
                                   one, schema::AddOptionsT());
  int result = product(centred, emitter.add(Operator::RSQRT, 1, {variance}, one));
  result = product(result, emitter.real(node.inputs[1]));
  if (node.input(2) != nullptr) {
    result = emitter.add(Operator::ADD, 1, {result, emitter.real(node.inputs[2])}, whole,
                         schema::AddOptionsT());
  }
  emitter.give(node.outputs[0], Layout::kPlain, Form::kReal, result);
  return {};
}

// The kernels work along the last axis: whatever lies elsewhere is moved there and back.
Status emit_softmax(Emitter& emitter, const Node& node) {
  const auto rank = static_cast<int64_t>(dims_of(node.inputs[0]).size());
  int64_t axis = node.attributes.get_int("axis", -1);
  if (axis < 0) axis += rank;
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  // Exchanging two axes is its own inverse.
  std::swap(order[static_cast<size_t>(axis)], order.back());
  const bool moved = axis != rank - 1;
  const bool channels = moved && emitter.layout_of(node) == Layout::kNhwc && axis == 1;
  const Layout layout = channels ? Layout::kNhwc : Layout::kPlain;
  int source = emitter.real(node.inputs[0], layout);
  if (moved && !channels) source = emitter.transpose(source, order);
  Emitter::Result1 result = Emitter::like(node.outputs[0], layout);
  result.dims = emitter.dims_of(source);
  int tensor = -1;
  if (node.op == "LogSoftmax") {
    tensor = emitter.add(Operator::LOG_SOFTMAX, 1, {source}, result, schema::LogSoftmaxOptionsT());
  } else {
    schema::SoftmaxOptionsT options;
    options.beta = 1;
    tensor = emitter.add(Operator::SOFTMAX, 1, {source}, result, std::move(options));
  }
  if (moved && !channels) tensor = emitter.transpose(tensor, order);
  emitter.give(node.outputs[0], layout, Form::kReal, tensor);
  return {};
}
bool is_float_node(const Node& node) { return is_float(node.input(0)); }

bool has_axes(const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  if (dtype != DType::kFloat32 && dtype != DType::kInt32 && dtype != DType::kInt64) return false;
  if (node.input(1) == nullptr) return node.attributes.get_int("noop_with_empty_axes", 0) == 0;
  return node.constant_input(1) != nullptr && node.constant_input(1)->element_count() > 0;
}

// In NHWC when the dimensions stay, or when what stays behind keeps its order.
Status emit_reduction(Emitter& emitter, const Node& node) {
  const size_t rank = dims_of(node.inputs[0]).size();
  std::vector<int64_t> axes = constant_ints(node, 1);
  if (node.input(1) == nullptr) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  const bool keep = node.attributes.get_int("keepdims", 1) != 0;
  Layout layout = emitter.layout_of(node);
  for (int64_t& axis : axes) axis = axis_in(Layout::kPlain, axis, rank);
  std::ranges::sort(axes);
  const bool spatial = rank == 4 && axes == std::vector<int64_t>{2, 3};
  if (!keep && !spatial) layout = Layout::kPlain;
  for (int64_t& axis : axes) axis = axis_in(layout, axis, rank);
  std::ranges::sort(axes);
  schema::ReducerOptionsT options;
  options.keep_dims = keep;
  Operator op = Operator::MEAN;
  for (const NameRow& row : reduction_names()) {
    if (row.op == node.op) op = row.code;
  }
  const Layout out = keep ? layout : Layout::kPlain;
  emitter.give(node.outputs[0], out, Form::kReal,
               emitter.add(op, 1, {emitter.real(node.inputs[0], layout), emitter.ints(axes)},
                           Emitter::like(node.outputs[0], out), std::move(options)));
  return {};
}

Status emit_arg_max(Emitter& emitter, const Node& node) {
  const size_t rank = dims_of(node.inputs[0]).size();
  const int64_t axis = axis_in(Layout::kPlain, node.attributes.get_int("axis", 0), rank);
  Dims dims = dims_of(node.inputs[0]);
  dims.erase(dims.begin() + axis);
  const int axes = emitter.constant(Tensor::of<int32_t>({}, {static_cast<int32_t>(axis)}), "axis");
  const std::vector<int> inputs = {emitter.real(node.inputs[0]), axes};
  const Emitter::Result1 result{dims, schema::TensorType::INT64, node.outputs[0]->name};
  int tensor = -1;
  if (node.op == "ArgMax") {
    schema::ArgMaxOptionsT options;
    options.output_type = schema::TensorType::INT64;
    tensor = emitter.add(Operator::ARG_MAX, 1, inputs, result, std::move(options));
  } else {
    schema::ArgMinOptionsT options;
    options.output_type = schema::TensorType::INT64;
    tensor = emitter.add(Operator::ARG_MIN, 1, inputs, result, std::move(options));
  }
  const Dims wanted = dims_of(node.outputs[0]);
  if (wanted != dims) tensor = emitter.reshape(tensor, wanted, node.outputs[0]->name);
  emitter.give(node.outputs[0], Layout::kPlain, Form::kReal, tensor);
  return {};
}
bool takes_first(const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  return node.attributes.get_int("select_last_index", 0) == 0 &&
         (dtype == DType::kFloat32 || dtype == DType::kInt32);
}

Status emit_cumulative_sum(Emitter& emitter, const Node& node) {
  schema::CumsumOptionsT options;
  options.exclusive = node.attributes.get_int("exclusive", 0) != 0;
  options.reverse = node.attributes.get_int("reverse", 0) != 0;
  const auto axis = static_cast<int32_t>(constant_ints(node, 1)[0]);
  emitter.give(node.outputs[0], Layout::kPlain, Form::kReal,
               emitter.add(Operator::CUMSUM, 1,
                           {emitter.real(node.inputs[0]),
                            emitter.constant(Tensor::scalar<int32_t>(axis), "axis")},
                           Emitter::like(node.outputs[0]), std::move(options)));
  return {};
}
bool sums_known_axis(const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  return constant_ints(node, 1).size() == 1 &&
         (dtype == DType::kFloat32 || dtype == DType::kInt32 || dtype == DType::kInt64);
}

// size is odd: radius neighbours on each side, and alpha is for the whole window in ONNX.
bool is_lrn(const Node& node) {
  return is_float(node.input(0)) && dims_of(node.inputs[0]).size() == 4 &&
         node.attributes.get_int("size", 1) % 2 == 1;
}
Status emit_lrn(Emitter& emitter, const Node& node) {
  const int64_t size = node.attributes.get_int("size", 1);
  schema::LocalResponseNormalizationOptionsT options;
  options.radius = static_cast<int32_t>(size / 2);
  options.bias = node.attributes.get_float("bias", 1);
  options.alpha = node.attributes.get_float("alpha", 1e-4f) / static_cast<float>(size);
  options.beta = node.attributes.get_float("beta", 0.75f);
  emitter.give(node.outputs[0], Layout::kNhwc, Form::kReal,
               emitter.add(Operator::LOCAL_RESPONSE_NORMALIZATION, 1,
                           {emitter.real(node.inputs[0], Layout::kNhwc)},
                           Emitter::like(node.outputs[0], Layout::kNhwc), std::move(options)));
  return {};
}

// A factor and an addend per channel of axis 1, reckoned from the four constants.
bool normalises_by_constants(const Node& node) {
  if (!is_float(node.input(0)) || dims_of(node.inputs[0]).size() < 2) return false;
  for (size_t i = 1; i < 5; ++i) {
    const Tensor* tensor = node.constant_input(i);
    if (tensor == nullptr || tensor->dtype() != DType::kFloat32) return false;
  }
  return node.output(1) == nullptr && node.attributes.get_int("training_mode", 0) == 0;
}
Status emit_batch_normalization(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const auto at = [&](size_t input, int64_t i) {
    return static_cast<double>(node.constant_input(input)->data<float>()[i]);
  };
  Dims dims(dims_of(node.inputs[0]).size(), 1);
  const int64_t channels = node.constant_input(1)->element_count();
  dims[static_cast<size_t>(axis_in(layout, 1, dims.size()))] = channels;
  std::vector<float> factors, addends;
  for (int64_t i = 0; i < channels; ++i) {
    const double epsilon = node.attributes.get_float("epsilon", 1e-5f);
    const double factor = at(1, i) / std::sqrt(at(4, i) + epsilon);
    factors.push_back(static_cast<float>(factor));
    addends.push_back(static_cast<float>(at(2, i) - at(3, i) * factor));
  }
  const std::string& name = node.outputs[0]->name;
  const int factor = emitter.constant(Tensor::of<float>(dims, factors), name + "/factor");
  const int addend = emitter.constant(Tensor::of<float>(dims, addends), name + "/addend");
  const Emitter::Result1 result = Emitter::like(node.outputs[0], layout);
  const int product = emitter.add(Operator::MUL, 1, {emitter.real(node.inputs[0], layout), factor},
                                  result, schema::MulOptionsT());
  emitter.give(node.outputs[0], layout, Form::kReal,
               emitter.add(Operator::ADD, 1, {product, addend}, result, schema::AddOptionsT()));
  return {};
}

std::vector<EmitRow> make_rows() {
  std::vector<EmitRow> rows = {
      {"MatMul", emit_matmul, is_matmul},
      {"Gemm", emit_gemm, is_gemm},
      {"BatchNormalization", emit_batch_normalization, normalises_by_constants},
      {"LayerNormalization", emit_layer_normalization, normalises_layer},
      {"Softmax", emit_softmax, is_float_node},
      {"LogSoftmax", emit_softmax, is_float_node},
      {"ArgMax", emit_arg_max, takes_first},
      {"ArgMin", emit_arg_max, takes_first},
      {"CumSum", emit_cumulative_sum, sums_known_axis},
      {"LRN", emit_lrn, is_lrn},
  };
  for (const NameRow& row : reduction_names()) {
    rows.push_back({row.op, emit_reduction, has_axes});
  }
  return rows;
}

}  // namespace

std::span<const EmitRow> product_rows() {
  static const auto* rows = new std::vector<EmitRow>(make_rows());
  return *rows;
}

}  // namespace edgewright::tflite_io
