// Zeros among the weights, before any rounding.
#include <algorithm>
#include <cmath>

#include "api/precision_context.h"
#include "passes/rewrite.h"
#include "quantize/sparsity.h"

namespace edgewright {
namespace {

constexpr size_t kMomentSamples = 64;

// Weights [N, K] as [K, N] and back.
std::vector<float> turned(std::span<const float> matrix, int64_t rows, int64_t columns) {
  std::vector<float> result(matrix.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      result[static_cast<size_t>(j * rows + i)] = matrix[static_cast<size_t>(i * columns + j)];
    }
  }
  return result;
}

void set_weights(Graph& graph, Node& node, size_t input, std::vector<float> weights) {
  const Value* old = node.inputs[input];
  graph.set_input(&node, input,
                  graph.add_constant(graph.fresh_name(old->name + "_sparse"),
                                     Tensor::of<float>(old->constant->dims(), weights)));
}

// Convolutions are pruned by magnitude along everything that one output channel reads.
void prune_convolution(Graph& graph, Node& node, const SparsityPattern& pattern) {
  const Tensor& weights = *node.constant_input(1);
  const int64_t columns = weights.dim(0), rows = weights.element_count() / columns;
  const auto matrix = turned(weights.elements<float>(), columns, rows);
  set_weights(graph, node, 1,
              turned(prune(matrix, rows, columns, pattern, nullptr), rows, columns));
}

bool is_prunable_convolution(const Node& node) {
  const Tensor* weights = node.constant_input(1);
  return node.is("Conv") && weights != nullptr && weights->dtype() == DType::kFloat32 &&
         weights->rank() >= 3 &&
         weights->element_count() / std::max<int64_t>(weights->dim(0), 1) >= 4;
}

}  // namespace

Status prune_weights(PrecisionContext& context) {
  const SparsityPattern& pattern = *context.precision.sparsity;
  Graph& graph = *context.model.graph;
  EDGEWRIGHT_TRY(load_data(context, false));
  EDGEWRIGHT_ASSIGN(const auto excluded, excluded_layers(context));
  std::vector<WeightLayer> layers = weight_layers(graph);
  std::erase_if(layers, [&](const WeightLayer& one) { return excluded.contains(one.name()); });
  PlanRunner runner(context.data, context.options.threads);
  std::map<std::string, std::shared_ptr<InputMoments>> moments;
  if (context.has_data()) {
    const auto samples = std::span(context.split.calibration);
    EDGEWRIGHT_ASSIGN(moments,
                      input_moments(graph, layers, runner,
                                    samples.first(std::min(samples.size(), kMomentSamples)),
                                    context.options.progress));
  }
  double zeros = 0, total = 0;
  for (const WeightLayer& layer : layers) {
    const InputMoments* known = context.has_data() ? moments.at(layer.name()).get() : nullptr;
    auto pruned = prune(layer.weights(), layer.rows, layer.columns, pattern, known);
    zeros += sparsity_of(pruned) * static_cast<double>(pruned.size());
    total += static_cast<double>(pruned.size());
    if (layer.transposed) pruned = turned(pruned, layer.rows, layer.columns);
    set_weights(graph, *layer.node, 1, std::move(pruned));
  }
  for (Node& node : graph.nodes()) {
    if (!is_prunable_convolution(node) || excluded.contains(node.outputs[0]->name)) continue;
    prune_convolution(graph, node, pattern);
    const auto elements = node.constant_input(1)->elements<float>();
    zeros += sparsity_of(elements) * static_cast<double>(elements.size());
    total += static_cast<double>(elements.size());
  }
  EDGEWRIGHT_TRY(finish_graph(graph));
  context.report.choices.push_back(
      {"sparsity",
       fmt::format("{:.1f} % of the weights are zero", 100 * zeros / std::max(total, 1.0)), "",
       context.has_data() ? "later rows of matrices make up for what is lost"
                          : "by magnitude: without --calibrate nothing is made up for"});
  context.report.warnings.push_back(
      "the zeros are stored dense: no sparse kernel of the engine runs them faster");
  return {};
}

}  // namespace edgewright
