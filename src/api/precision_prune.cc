// Zeros among the weights, before any rounding, and which kernels leave them out.
#include <algorithm>
#include <cmath>

#include "api/export_formats.h"
#include "api/precision_context.h"
#include "api/sparse_kernels.h"
#include "passes/rewrite.h"
#include "quantize/conv_weights.h"
#include "quantize/sparsity.h"

namespace edgewright {
namespace {

constexpr size_t kMomentSamples = 64;
// Patches of an image are many, so that fewer samples tell as much.
constexpr size_t kPatchSamples = 16;

// Weights [K, N] as [N, K].
std::vector<float> turned(std::span<const float> matrix, int64_t rows, int64_t columns) {
  std::vector<float> result(matrix.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      result[static_cast<size_t>(j * rows + i)] = matrix[static_cast<size_t>(i * columns + j)];
    }
  }
  return result;
}

void set_weights(Graph& graph, Node& node, Tensor weights) {
  const std::string name = graph.fresh_name(node.inputs[1]->name + "_sparse");
  graph.set_input(&node, 1, graph.add_constant(name, std::move(weights)));
}

struct Zeros {
  double zeros = 0, total = 0;
  size_t layers = 0, updated = 0;

  void add(std::span<const float> weights, bool made_up_for) {
    zeros += sparsity_of(weights) * static_cast<double>(weights.size());
    total += static_cast<double>(weights.size());
    ++layers;
    updated += made_up_for ? 1 : 0;
  }
};

using Moments = std::map<std::string, std::shared_ptr<InputMoments>>;

const InputMoments* moments_of(const Moments& moments, const std::string& layer) {
  const auto it = moments.find(layer);
  return it == moments.end() ? nullptr : it->second.get();
}

// Of the layers that --quantize exclude does not name.
template <class Layer>
std::vector<Layer> included(std::vector<Layer> layers, const std::set<std::string>& excluded) {
  std::erase_if(layers, [&](const Layer& one) { return excluded.contains(one.name()); });
  return layers;
}

std::span<const size_t> first_samples(const PrecisionContext& context, size_t count) {
  const auto samples = std::span(context.split.calibration);
  return samples.first(std::min(samples.size(), count));
}

Status prune_matrices(PrecisionContext& context, const std::set<std::string>& excluded,
                      SampleRunner& runner, Zeros& zeros) {
  Graph& graph = *context.model.graph;
  const auto layers = included(weight_layers(graph), excluded);
  Moments moments;
  if (context.has_data()) {
    EDGEWRIGHT_ASSIGN(moments,
                      input_moments(graph, layers, runner, first_samples(context, kMomentSamples),
                                    context.options.progress));
  }
  for (const WeightLayer& layer : layers) {
    const InputMoments* known = moments_of(moments, layer.name());
    auto pruned =
        prune(layer.weights(), layer.rows, layer.columns, *context.precision.sparsity, known);
    zeros.add(pruned, known != nullptr);
    if (layer.transposed) pruned = turned(pruned, layer.rows, layer.columns);
    set_weights(graph, *layer.node,
                Tensor::of<float>(layer.node->constant_input(1)->dims(), pruned));
  }
  return {};
}

Status prune_convolutions(PrecisionContext& context, const std::set<std::string>& excluded,
                          SampleRunner& runner, Zeros& zeros) {
  Graph& graph = *context.model.graph;
  const auto layers = included(conv_layers(graph), excluded);
  Moments moments;
  if (context.has_data() && !layers.empty()) {
    auto found = patch_moments(graph, layers, runner, first_samples(context, kPatchSamples),
                               context.options.progress);
    if (found.ok()) {
      moments = *std::move(found);
    } else {
      context.report.warnings.push_back("convolutions are pruned by magnitude alone: " +
                                        found.error().message);
    }
  }
  for (const ConvLayer& layer : layers) {
    const InputMoments* known = moments_of(moments, layer.name());
    const auto pruned =
        prune(layer.weights(), layer.rows(), layer.columns, *context.precision.sparsity, known);
    zeros.add(pruned, known != nullptr);
    set_weights(graph, *layer.node, layer.constant_of(pruned));
  }
  return {};
}

}  // namespace

Status prune_weights(PrecisionContext& context) {
  EDGEWRIGHT_TRY(load_data(context, false));
  EDGEWRIGHT_ASSIGN(const auto excluded, excluded_layers(context));
  PlanRunner runner(context.data, context.options.threads);
  Zeros zeros;
  EDGEWRIGHT_TRY(prune_matrices(context, excluded, runner, zeros));
  EDGEWRIGHT_TRY(prune_convolutions(context, excluded, runner, zeros));
  EDGEWRIGHT_TRY(finish_graph(*context.model.graph));
  context.report.choices.push_back(
      {"sparsity",
       fmt::format("{:.1f} % of the weights of {} layers are zero",
                   100 * zeros.zeros / std::max(zeros.total, 1.0), zeros.layers),
       "",
       context.has_data()
           ? fmt::format("in {} of them what is left makes up for what is lost", zeros.updated)
           : "by magnitude: without --calibrate nothing is made up for"});
  return {};
}

Status choose_sparse_kernels(PrecisionContext& context) {
  // What a kernel takes here says nothing of another runtime.
  if (find_export_format(context.options.to) != nullptr) return {};
  EDGEWRIGHT_ASSIGN(const auto fixed, fixed_shape_copy(context, *context.model.graph));
  InferenceOptions inference;
  inference.threads = context.options.threads;
  inference.tune = context.options.tune;
  inference.timing_cache = context.options.timing_cache;
  const auto layers = measure_sparse_layers(*fixed, inference);
  auto& report = context.report;
  if (!layers.ok()) {
    report.warnings.push_back("sparse kernels were not measured: " + layers.error().message);
    return {};
  }
  if (layers->empty()) {
    report.choices.push_back({"sparse kernels", "none: dense kernels run over the zeros", "",
                              "no kernel of the engine leaves out zeros of this kind in layers of "
                              "this type (int8: only 2:4)"});
    return {};
  }
  SparseLayers all;
  for (const SparseLayers& one : *layers) {
    all.count += one.count;
    all.wins += one.wins;
    all.chosen_us += one.chosen_us;
    all.dense_us += one.dense_us;
    const auto mean = [&](double sum_us) { return sum_us / static_cast<double>(one.count); };
    const std::string sparse = fmt::format("{} {:.1f} us", one.sparse, mean(one.sparse_us));
    const std::string dense = fmt::format("{} {:.1f} us", one.dense, mean(one.dense_us));
    const bool wins = 2 * one.wins > one.count;
    report.choices.push_back(
        {fmt::format("kernel of {} x {}", one.count, one.layer), wins ? sparse : dense,
         wins ? dense : sparse,
         fmt::format("measured here: quicker on sparse weights in {} of {}", one.wins, one.count)});
  }
  report.choices.push_back(
      {"sparse kernels",
       fmt::format("{} of {} layers, {:.0f} us together", all.wins, all.count, all.chosen_us),
       fmt::format("{:.0f} us on dense kernels alone", all.dense_us),
       "a kernel that leaves out zeros is used only where it measures quicker"});
  return {};
}

}  // namespace edgewright
