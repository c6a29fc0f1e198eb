#include "split/privacy/linear_layer.h"

#include <algorithm>

namespace edgewright {
namespace {

constexpr int64_t kMostProducts = int64_t{1} << 26;

int64_t count_of(const Dims& dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count;
}

Result<Dims> dims_of(const Value* value) {
  const auto dims =
      value != nullptr && value->type.shape ? known_dims(*value->type.shape) : std::nullopt;
  if (!dims || value->type.dtype != DType::kFloat32 || value->is_constant()) {
    return unsupported("a value of type {} is no float32 activation of known shape",
                       value == nullptr ? "?" : type_text(value->type));
  }
  return *dims;
}

Result<std::vector<float>> bias_of(const Node& node, size_t index, size_t rows, float factor) {
  std::vector<float> bias(rows, 0.0F);
  if (node.input(index) == nullptr) return bias;
  const Tensor* given = node.constant_input(index);
  if (given == nullptr || given->dtype() != DType::kFloat32 ||
      given->element_count() != static_cast<int64_t>(rows) ||
      given->dims().back() != static_cast<int64_t>(rows)) {
    return unsupported("its bias is not {} float32 constants", rows);
  }
  const auto values = given->elements<float>();
  for (size_t row = 0; row < rows; ++row) bias[row] = factor * values[row];
  return bias;
}

Status check_size(const LinearLayer& layer) {
  const auto products = static_cast<int64_t>(layer.rows * layer.columns * layer.positions);
  if (products < 1 || products > kMostProducts) {
    return unsupported("it has {} multiply-adds, at most {} are shared", products, kMostProducts);
  }
  return {};
}

// MatMul and Gemm: `weights` is columns x rows, or the other way where it is transposed.
Result<LinearLayer> dense_layer(const Node& node, bool is_transposed, float factor) {
  const Tensor* weights = node.constant_input(1);
  if (weights == nullptr || weights->rank() != 2 || weights->dtype() != DType::kFloat32) {
    return unsupported("its second input is no constant float32 matrix");
  }
  LinearLayer layer;
  EDGEWRIGHT_ASSIGN(layer.input_dims, dims_of(node.input(0)));
  layer.rows = static_cast<size_t>(weights->dim(is_transposed ? 0 : 1));
  layer.columns = static_cast<size_t>(weights->dim(is_transposed ? 1 : 0));
  if (layer.input_dims.empty() || layer.columns == 0) return unsupported("its input is a scalar");
  layer.positions = static_cast<size_t>(count_of(layer.input_dims)) / layer.columns;
  layer.rows_last = true;
  EDGEWRIGHT_TRY(check_size(layer));
  const auto given = weights->elements<float>();
  for (size_t row = 0; row < layer.rows; ++row) {
    for (size_t column = 0; column < layer.columns; ++column) {
      layer.weights.push_back(
          factor * given[is_transposed ? row * layer.columns + column : column * layer.rows + row]);
    }
  }
  for (size_t column = 0; column < layer.columns; ++column) {
    for (size_t position = 0; position < layer.positions; ++position) {
      layer.places.push_back(static_cast<int64_t>(position * layer.columns + column));
    }
  }
  return layer;
}

Result<LinearLayer> matmul_layer(const Node& node) {
  EDGEWRIGHT_ASSIGN(LinearLayer layer, dense_layer(node, false, 1));
  layer.bias.assign(layer.rows, 0.0F);
  return layer;
}

Result<LinearLayer> gemm_layer(const Node& node) {
  if (node.attributes.get_int("transA", 0) != 0) return unsupported("its input is transposed");
  EDGEWRIGHT_ASSIGN(LinearLayer layer, dense_layer(node, node.attributes.get_int("transB", 0) != 0,
                                                   node.attributes.get_float("alpha", 1)));
  EDGEWRIGHT_ASSIGN(layer.bias, bias_of(node, 2, layer.rows, node.attributes.get_float("beta", 1)));
  return layer;
}

struct Window {
  std::vector<int64_t> pads, strides, dilations;
};

void add_places(const Window& window, const Tensor& weights, LinearLayer& layer) {
  const int64_t height = layer.input_dims[2], width = layer.input_dims[3];
  const int64_t out_height = layer.output_dims[2], out_width = layer.output_dims[3];
  const int64_t zero = count_of(layer.input_dims);
  for (int64_t channel = 0; channel < weights.dim(1); ++channel) {
    for (int64_t kernel = 0; kernel < weights.dim(2) * weights.dim(3); ++kernel) {
      const int64_t down = kernel / weights.dim(3) * window.dilations[0] - window.pads[0];
      const int64_t right = kernel % weights.dim(3) * window.dilations[1] - window.pads[1];
      for (int64_t i = 0; i < out_height * out_width; ++i) {
        const int64_t y = i / out_width * window.strides[0] + down;
        const int64_t x = i % out_width * window.strides[1] + right;
        const bool is_inside = y >= 0 && y < height && x >= 0 && x < width;
        layer.has_zeros = layer.has_zeros || !is_inside;
        layer.places.push_back(is_inside ? (channel * height + y) * width + x : zero);
      }
    }
  }
}

Result<LinearLayer> conv_layer(const Node& node) {
  const Tensor* weights = node.constant_input(1);
  LinearLayer layer;
  EDGEWRIGHT_ASSIGN(layer.input_dims, dims_of(node.input(0)));
  EDGEWRIGHT_ASSIGN(layer.output_dims, dims_of(node.output(0)));
  const std::string pad = node.attributes.get_string("auto_pad", "NOTSET");
  const bool fits = weights != nullptr && weights->rank() == 4 &&
                    weights->dtype() == DType::kFloat32 && layer.input_dims.size() == 4 &&
                    layer.output_dims.size() == 4 && layer.input_dims[0] == 1 &&
                    node.attributes.get_int("group", 1) == 1 && pad == "NOTSET";
  if (!fits) {
    return unsupported(
        "it is no convolution of one image (batch 1) in one group with constant float32 weights "
        "and explicit padding");
  }
  Window window{node.attributes.get_ints("pads", {0, 0, 0, 0}),
                node.attributes.get_ints("strides", {1, 1}),
                node.attributes.get_ints("dilations", {1, 1})};
  layer.rows = static_cast<size_t>(weights->dim(0));
  layer.columns = static_cast<size_t>(weights->element_count()) / std::max<size_t>(1, layer.rows);
  layer.positions = static_cast<size_t>(layer.output_dims[2] * layer.output_dims[3]);
  EDGEWRIGHT_TRY(check_size(layer));
  const auto given = weights->elements<float>();
  layer.weights.assign(given.begin(), given.end());
  EDGEWRIGHT_ASSIGN(layer.bias, bias_of(node, 2, layer.rows, 1));
  add_places(window, *weights, layer);
  return layer;
}

struct Kind {
  std::string_view op;
  Result<LinearLayer> (*layer)(const Node& node);
};
constexpr Kind kKinds[] = {{"Conv", conv_layer}, {"Gemm", gemm_layer}, {"MatMul", matmul_layer}};

}  // namespace

size_t LinearLayer::input_size() const { return static_cast<size_t>(count_of(input_dims)); }

const std::string& layer_name(const Node& node) {
  return node.name.empty() ? node.outputs[0]->name : node.name;
}

Result<LinearLayer> linear_layer(const Node& node) {
  const auto* kind =
      std::ranges::find_if(kKinds, [&](const Kind& known) { return node.is(known.op); });
  if (kind == std::end(kKinds)) {
    return unsupported("{} is a {}; Conv, Gemm and MatMul can be shared", layer_name(node),
                       node.op);
  }
  auto layer = kind->layer(node);
  if (!layer.ok()) return std::move(layer).error().at(layer_name(node));
  layer->name = layer_name(node);
  layer->input = node.inputs[0]->name;
  layer->output = node.outputs[0]->name;
  auto dims = dims_of(node.output(0));
  if (!dims.ok()) return std::move(dims).error().at(layer->name);
  layer->output_dims = *std::move(dims);
  return *std::move(layer);
}

std::vector<const Node*> linear_nodes(const Graph& graph) {
  std::vector<const Node*> found;
  for (const Node& node : graph.nodes()) {
    if (linear_layer(node).ok()) found.push_back(&node);
  }
  return found;
}

}  // namespace edgewright
