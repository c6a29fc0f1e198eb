#include "quantize/conv_weights.h"

#include <algorithm>

#include "passes/rewrite.h"

namespace edgewright {
namespace {

// The patches of a convolution as columns: another convolution with its window whose output
// channel k is input k of the patch. A [K, K] constant of ones and zeros is cheap beside what the
// product of the patches costs, and every engine runs it.
Value* add_patches(Graph& graph, const ConvLayer& layer) {
  const int64_t rows = layer.rows();
  std::vector<float> ones(static_cast<size_t>(rows * rows), 0.0f);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t tap = row / layer.channels, channel = row % layer.channels;
    ones[static_cast<size_t>((row * layer.channels + channel) * layer.taps + tap)] = 1;
  }
  Dims dims = layer.node->constant_input(1)->dims();
  dims[0] = rows;
  Value* weights =
      graph.add_constant(graph.fresh_name(layer.name() + "_taps"), Tensor::of<float>(dims, ones));
  Node* node = graph.add_node("Conv", {graph.find_value(layer.node->inputs[0]->name), weights},
                              {layer.name() + "_patches"}, layer.node->attributes);
  node->outputs[0]->type = ValueType::tensor(DType::kFloat32);
  return node->outputs[0];
}

// [B, K, ...] -> [B, K, K], the product of the patches with themselves.
Value* add_product(Graph& graph, Value* patches, const std::string& name, int64_t rows) {
  const auto add = [&](const char* op, std::vector<Value*> inputs, const char* suffix,
                       Attributes attributes = {}) {
    Node* node = graph.add_node(op, std::move(inputs), {name + suffix}, std::move(attributes));
    node->outputs[0]->type = ValueType::tensor(DType::kFloat32);
    return node->outputs[0];
  };
  Value* target = add_int_constant(graph, graph.fresh_name(name + "_shape"), {0, rows, -1});
  Value* flat = add("Reshape", {patches, target}, "_flat");
  const std::vector<int64_t> order = {0, 2, 1};
  Value* turned = add("Transpose", {flat}, "_turned", make_attributes({{"perm", order}}));
  return add("MatMul", {flat, turned}, "_moments");
}

}  // namespace

std::vector<float> ConvLayer::weights() const {
  const auto elements = node->constant_input(1)->elements<float>();
  std::vector<float> matrix(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t tap = at % taps, channel = at / taps % channels, column = at / taps / channels;
    matrix[static_cast<size_t>((tap * channels + channel) * columns + column)] = elements[i];
  }
  return matrix;
}

Tensor ConvLayer::constant_of(std::span<const float> matrix) const {
  std::vector<float> elements(matrix.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t tap = at % taps, channel = at / taps % channels, column = at / taps / channels;
    elements[i] = matrix[static_cast<size_t>((tap * channels + channel) * columns + column)];
  }
  return Tensor::of<float>(node->constant_input(1)->dims(), elements);
}

std::vector<ConvLayer> conv_layers(Graph& graph) {
  std::vector<ConvLayer> layers;
  for (Node& node : graph.nodes()) {
    const Tensor* weights = node.constant_input(1);
    if (!node.is("Conv") || weights == nullptr || weights->dtype() != DType::kFloat32 ||
        weights->rank() < 3 || weights->element_count() == 0 ||
        node.attributes.get_int("group", 1) != 1) {
      continue;
    }
    ConvLayer layer;
    layer.node = &node;
    layer.columns = weights->dim(0);
    layer.channels = weights->dim(1);
    layer.taps = weights->element_count() / layer.columns / layer.channels;
    if (layer.rows() >= 4) layers.push_back(layer);
  }
  return layers;
}

Result<std::map<std::string, std::shared_ptr<InputMoments>>> patch_moments(
    Graph& graph, std::span<const ConvLayer> layers, SampleRunner& runner,
    std::span<const size_t> samples, const Progress& progress) {
  const auto copy = clone(graph);
  std::map<std::string, std::shared_ptr<InputMoments>> by_layer;
  std::vector<WatchedMoments> watched;
  for (const ConvLayer& layer : layers) {
    if (layer.rows() > kMostMomentRows) continue;
    auto moments = std::make_shared<InputMoments>();
    moments->size = layer.rows();
    moments->sums.resize(static_cast<size_t>(layer.rows() * layer.rows()));
    Value* patches = add_patches(*copy, layer);
    copy->add_output(add_product(*copy, patches, layer.name(), layer.rows()));
    watched.push_back({copy->outputs().size() - 1, moments.get()});
    by_layer[layer.name()] = std::move(moments);
  }
  EDGEWRIGHT_TRY(gather_moments(*copy, watched, runner, samples, progress));
  return by_layer;
}

}  // namespace edgewright
