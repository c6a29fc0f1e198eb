// Weights alone in 4 or 8 bits.
#include <algorithm>
#include <cmath>

#include "api/precision_context.h"
#include "quantize/weight_only.h"

namespace edgewright {
namespace {

// Inputs of layers are gathered over at most so many samples: moments settle early.
constexpr size_t kMomentSamples = 64;

struct RoundedWeights {
  GroupedWeights weights;
  double error = 0;  // of the layer's outputs (of the weights without samples), relative L2
};

class SmallWeights {
 public:
  explicit SmallWeights(PrecisionContext& context)
      : context_(context), runner_(context.data, context.options.threads) {}

  Result<bool> convert() {
    Graph& graph = *context_.model.graph;
    EDGEWRIGHT_ASSIGN(const auto excluded, excluded_layers(context_));
    std::vector<WeightLayer> layers = weight_layers(graph);
    std::erase_if(layers, [&](const WeightLayer& one) { return excluded.contains(one.name()); });
    if (layers.empty()) {
      return unsupported(
          "no layer has weights to round alone: expected MatMul or Gemm with a "
          "constant float32 matrix in the main graph");
    }
    std::map<std::string, std::shared_ptr<InputMoments>> moments;
    if (context_.has_data()) {
      const auto samples = std::span(context_.split.calibration);
      EDGEWRIGHT_ASSIGN(moments,
                        input_moments(graph, layers, runner_,
                                      samples.first(std::min(samples.size(), kMomentSamples)),
                                      context_.options.progress));
    }
    std::map<std::string, RoundedWeights> rounded;
    for (const WeightLayer& layer : layers) {
      const auto it = moments.find(layer.name());
      EDGEWRIGHT_ASSIGN(rounded[layer.name()],
                        choose(layer, it == moments.end() ? nullptr : it->second.get()));
    }
    return finish(layers, rounded);
  }

 private:
  Result<RoundedWeights> choose(const WeightLayer& layer, const InputMoments* moments) {
    const PrecisionOptions& precision = context_.precision;
    const GroupedOptions grouped{precision.weight_bits, precision.group};
    const std::vector<float> weights = layer.weights();
    const double norm = output_squared_norm(weights, layer.rows, layer.columns, moments);
    std::vector<std::pair<std::string, RoundedWeights>> ranking;
    for (const WeightMethod& method : weight_methods()) {
      const bool wanted = precision.method == "auto" || precision.method == method.name;
      if (!wanted || (method.needs_samples && moments == nullptr)) continue;
      RoundedWeights one;
      one.weights = method.round(weights, layer.rows, layer.columns, grouped, moments);
      one.error = std::sqrt(std::max(output_squared_error(weights, one.weights, moments), 0.0) /
                            std::max(norm, 1e-30));
      ranking.emplace_back(method.name, std::move(one));
    }
    if (ranking.empty()) {
      return usage_error("--quantize method={} needs samples: give --calibrate DATA",
                         precision.method);
    }
    std::ranges::stable_sort(ranking, {}, [](const auto& one) { return one.second.error; });
    const bool alone = ranking.size() == 1;
    context_.report.choices.push_back(
        {"weights of " + layer.name(), ranking[0].first, alone ? "" : ranking[1].first,
         alone ? "asked for"
               : fmt::format("relative error of the {} {:.4g} against {:.4g}",
                             moments == nullptr ? "weights" : "layer", ranking[0].second.error,
                             ranking[1].second.error)});
    return std::move(ranking[0].second);
  }

  Result<bool> finish(const std::vector<WeightLayer>& layers,
                      const std::map<std::string, RoundedWeights>& rounded) {
    Graph& graph = *context_.model.graph;
    QuantizationReport& result = context_.report.quantization.emplace();
    std::set<std::string> names;
    for (const auto& [name, one] : rounded) {
      names.insert(name);
      result.guilty.push_back({name, one.error});
    }
    std::ranges::stable_sort(result.guilty, std::ranges::greater(), &GuiltyLayer::relative_l2);
    const bool small = context_.precision.weight_bits == 4;
    add_precisions(graph, names, small ? "int4 weights" : "int8 weights", context_.report);
    EDGEWRIGHT_TRY(judge(rounded, result));
    const bool ort = context_.options.dialect == "ort";
    for (const WeightLayer& layer : layers) {
      EDGEWRIGHT_TRY(replace_weights(graph, layer, rounded.at(layer.name()).weights,
                                     ort ? WeightForm::kMatMulNBits : WeightForm::kBlocks));
    }
    if (ort) context_.model.domain_versions["com.microsoft"] = 1;
    EDGEWRIGHT_TRY(finish_graph(graph));
    return meets_goals(context_, result);
  }

  Status judge(const std::map<std::string, RoundedWeights>& rounded, QuantizationReport& result) {
    if (!context_.has_data()) {
      context_.report.warnings.push_back(
          "without --calibrate the effect on the outputs was not measured");
      return {};
    }
    const Graph& graph = *context_.model.graph;
    result.calibration_samples =
        static_cast<int64_t>(std::min(context_.split.calibration.size(), kMomentSamples));
    EDGEWRIGHT_ASSIGN(const auto reference,
                      OutputReference::create(*context_.original, runner_, context_.split.held_back,
                                              context_.data.labels));
    const auto copy = clone(graph);
    for (const WeightLayer& layer : weight_layers(*copy)) {
      const auto it = rounded.find(layer.name());
      if (it == rounded.end()) continue;
      EDGEWRIGHT_TRY(replace_weights(*copy, layer, it->second.weights, WeightForm::kRoundedFloat));
    }
    EDGEWRIGHT_ASSIGN(const OutputQuality quality, reference.compare(*copy));
    fill_quality(quality, result);
    return {};
  }

  PrecisionContext& context_;
  PlanRunner runner_;
};

}  // namespace

Result<bool> to_small_weights(PrecisionContext& context) {
  EDGEWRIGHT_TRY(load_data(context, false));
  return SmallWeights(context).convert();
}

}  // namespace edgewright
