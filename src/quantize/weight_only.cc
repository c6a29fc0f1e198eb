#include "quantize/weight_only.h"

#include <algorithm>

#include "passes/rewrite.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

// Elements of a sub-byte or byte type from one value a byte.
Tensor packed(DType dtype, Dims dims, const std::vector<uint8_t>& elements) {
  auto tensor = Tensor::allocate(dtype, std::move(dims));
  EDGEWRIGHT_CHECK(tensor.ok());
  const int bits = dtype_bits(dtype);
  for (size_t i = 0; i < elements.size(); ++i) {
    if (bits == 8) {
      tensor->mutable_data<uint8_t>()[i] = elements[i];
    } else {
      packed_set(tensor->mutable_bytes(), static_cast<int64_t>(i), bits, elements[i]);
    }
  }
  return *std::move(tensor);
}

template <class T>
std::vector<T> transposed(const std::vector<T>& matrix, int64_t rows, int64_t columns) {
  std::vector<T> result(matrix.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      result[static_cast<size_t>(j * rows + i)] = matrix[static_cast<size_t>(i * columns + j)];
    }
  }
  return result;
}

void insert_blocks(Graph& graph, const WeightLayer& layer, const GroupedWeights& rounded) {
  const DType dtype = rounded.bits == 4 ? DType::kUint4 : DType::kUint8;
  const bool turn = layer.transposed;
  const int64_t rows = rounded.rows, columns = rounded.columns, groups = rounded.groups();
  const auto dims = [&](int64_t first) {
    return turn ? Dims{columns, first} : Dims{first, columns};
  };
  const auto arranged = [&](const auto& matrix, int64_t first) {
    return turn ? transposed(matrix, first, columns) : matrix;
  };
  const std::string name = layer.node->inputs[1]->name;
  Value* data = graph.add_constant(graph.fresh_name(name + "_quantized"),
                                   packed(dtype, dims(rows), arranged(rounded.integers, rows)));
  const std::vector<float> scales = arranged(rounded.scales, groups);
  Value* scale = graph.add_constant(graph.fresh_name(name + "_scale"),
                                    Tensor::of<float>(dims(groups), scales));
  Value* zero =
      graph.add_constant(graph.fresh_name(name + "_zero_point"),
                         packed(dtype, dims(groups), arranged(rounded.zero_points, groups)));
  Attributes attributes =
      make_attributes({{"axis", int64_t{turn ? 1 : 0}}, {"block_size", rounded.group}});
  Node* node = graph.add_node("DequantizeLinear", {data, scale, zero}, {name + "_dequantized"},
                              std::move(attributes), "", layer.node);
  node->outputs[0]->type = layer.node->inputs[1]->type;
  graph.set_input(layer.node, 1, node->outputs[0]);
}

// com.microsoft::MatMulNBits: B [N, groups, group * bits / 8], scales [N * groups], zero points
// [N * ceil(groups * bits / 8)]; elements beyond K are padding.
void insert_matmul_n_bits(Graph& graph, const WeightLayer& layer, const GroupedWeights& rounded) {
  const int64_t groups = rounded.groups(), columns = rounded.columns;
  const int per_byte = 8 / rounded.bits;
  const int64_t blob = rounded.group / per_byte;
  const int64_t zero_bytes = (groups + per_byte - 1) / per_byte;
  std::vector<uint8_t> blobs(static_cast<size_t>(columns * groups * blob));
  std::vector<uint8_t> zeros(static_cast<size_t>(columns * zero_bytes));
  std::vector<float> scales;
  for (int64_t column = 0; column < columns; ++column) {
    uint8_t* target = blobs.data() + column * groups * blob;
    for (int64_t row = 0; row < rounded.rows; ++row) {
      packed_set(target, row, rounded.bits,
                 rounded.integers[static_cast<size_t>(row * columns + column)]);
    }
    for (int64_t group = 0; group < groups; ++group) {
      const auto index = static_cast<size_t>(group * columns + column);
      packed_set(zeros.data() + column * zero_bytes, group, rounded.bits,
                 rounded.zero_points[index]);
      scales.push_back(rounded.scales[index]);
    }
  }
  Node* old = layer.node;
  const std::string name = old->inputs[1]->name;
  const auto constant = [&](std::string_view suffix, Tensor tensor) {
    return graph.add_constant(graph.fresh_name(name + std::string(suffix)), std::move(tensor));
  };
  std::vector<Value*> inputs = {
      old->inputs[0], constant("_quantized", Tensor::of<uint8_t>({columns, groups, blob}, blobs)),
      constant("_scale", Tensor::of<float>({columns * groups}, scales)),
      constant("_zero_point", Tensor::of<uint8_t>({columns * zero_bytes}, zeros))};
  Attributes attributes = make_attributes({{"K", rounded.rows},
                                           {"N", columns},
                                           {"bits", int64_t{rounded.bits}},
                                           {"block_size", rounded.group}});
  Value* made = old->outputs[0];
  Node* product = graph.add_node("MatMulNBits", std::move(inputs), {made->name + "_product"},
                                 std::move(attributes), "com.microsoft", old);
  product->name = old->name;
  Value* result = product->outputs[0];
  result->type = made->type;
  if (old->input(2) != nullptr) {
    Node* sum = graph.add_node("Add", {result, old->inputs[2]}, {made->name + "_sum"}, {}, "", old);
    sum->outputs[0]->type = made->type;
    result = sum->outputs[0];
  }
  if (replace_value(made, result)) graph.erase(old);
}

// x^T x as a product in the graph, so that the engine's matrix kernels do the sums. The value has
// rank 2 or more.
Result<Value*> add_moments(Graph& graph, const std::string& name) {
  Value* x = graph.find_value(name);
  const auto rank = rank_of(x);
  if (!rank || *rank < 2) return unsupported("value '{}' has no known rank of 2 or more", name);
  std::vector<int64_t> order(*rank);
  for (size_t i = 0; i < *rank; ++i) order[i] = static_cast<int64_t>(i);
  std::swap(order[*rank - 1], order[*rank - 2]);
  Node* turned =
      graph.add_node("Transpose", {x}, {name + "_turned"}, make_attributes({{"perm", order}}));
  turned->outputs[0]->type = ValueType::tensor(DType::kFloat32);
  Node* product = graph.add_node("MatMul", {turned->outputs[0], x}, {name + "_moments"});
  product->outputs[0]->type = ValueType::tensor(DType::kFloat32);
  return product->outputs[0];
}

bool fits_n_bits(const GroupedWeights& rounded) {
  const bool power = (rounded.group & (rounded.group - 1)) == 0;
  return power && rounded.group >= 16;
}

}  // namespace

std::vector<float> WeightLayer::weights() const {
  const auto elements = node->constant_input(1)->elements<float>();
  std::vector<float> matrix(elements.begin(), elements.end());
  return transposed ? edgewright::transposed(matrix, columns, rows) : matrix;
}

std::vector<WeightLayer> weight_layers(Graph& graph) {
  std::vector<WeightLayer> layers;
  for (Node& node : graph.nodes()) {
    const bool gemm = node.is("Gemm");
    if (!gemm && !node.is("MatMul")) continue;
    const Tensor* weights = node.constant_input(1);
    if (weights == nullptr || weights->dtype() != DType::kFloat32 || weights->rank() != 2) continue;
    const Attributes& attributes = node.attributes;
    if (gemm && (attributes.get_int("transA", 0) != 0 || attributes.get_float("alpha", 1) != 1 ||
                 attributes.get_float("beta", 1) != 1)) {
      continue;
    }
    if (node.input(0) == nullptr || node.input(0)->is_constant() || weights->element_count() == 0) {
      continue;
    }
    WeightLayer layer;
    layer.node = &node;
    layer.transposed = gemm && attributes.get_int("transB", 0) != 0;
    layer.rows = weights->dim(layer.transposed ? 1 : 0);
    layer.columns = weights->dim(layer.transposed ? 0 : 1);
    layers.push_back(layer);
  }
  return layers;
}

Status replace_weights(Graph& graph, const WeightLayer& layer, const GroupedWeights& rounded,
                       WeightForm form) {
  if (form == WeightForm::kMatMulNBits && fits_n_bits(rounded)) {
    insert_matmul_n_bits(graph, layer, rounded);
  } else if (form == WeightForm::kRoundedFloat) {
    std::vector<float> reals = rounded.reals();
    if (layer.transposed) reals = transposed(reals, rounded.rows, rounded.columns);
    const Value* old = layer.node->inputs[1];
    graph.set_input(layer.node, 1,
                    graph.add_constant(graph.fresh_name(old->name + "_rounded"),
                                       Tensor::of<float>(old->constant->dims(), reals)));
  } else {
    insert_blocks(graph, layer, rounded);
  }
  return {};
}

Status gather_moments(const Graph& graph, std::span<const WatchedMoments> watched,
                      SampleRunner& runner, std::span<const size_t> samples,
                      const Progress& progress) {
  size_t done = 0;
  const auto add = [&](size_t, std::span<const Tensor> outputs) -> Status {
    for (const auto& [output, moments] : watched) {
      // One product for every matrix of a batch.
      const auto products = outputs[output].elements<float>();
      for (size_t i = 0; i < products.size(); ++i)
        moments->sums[i % moments->sums.size()] += products[i];
    }
    if (progress) progress("gather inputs of layers", ++done, samples.size());
    return {};
  };
  return runner.run(graph, samples, add);
}

Result<std::map<std::string, std::shared_ptr<InputMoments>>> input_moments(
    Graph& graph, std::span<const WeightLayer> layers, SampleRunner& runner,
    std::span<const size_t> samples, const Progress& progress) {
  const auto copy = clone(graph);
  std::map<std::string, std::shared_ptr<InputMoments>> by_value, by_layer;
  std::vector<WatchedMoments> watched;
  for (const WeightLayer& layer : layers) {
    const std::string& input = layer.node->inputs[0]->name;
    auto& moments = by_value[input];
    if (moments == nullptr) {
      moments = std::make_shared<InputMoments>();
      moments->size = layer.rows;
      moments->sums.resize(static_cast<size_t>(layer.rows * layer.rows));
      EDGEWRIGHT_ASSIGN(Value * product, add_moments(*copy, input));
      copy->add_output(product);
      watched.push_back({copy->outputs().size() - 1, moments.get()});
    }
    by_layer[layer.name()] = moments;
  }
  EDGEWRIGHT_TRY(gather_moments(*copy, watched, runner, samples, progress));
  return by_layer;
}

}  // namespace edgewright
