// A type for every layer: the cheapest mix that keeps its goals.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "api/plan_meter.h"
#include "api/precision_context.h"
#include "passes/rewrite.h"
#include "quantize/mixed_search.h"
#include "quantize/refusal.h"
#include "quantize/weight_only.h"

namespace edgewright {
namespace {

constexpr uint8_t kFloat = 0;
constexpr uint8_t kInt8 = 1;
constexpr uint8_t kSmallWeights = 2;
constexpr const char* kTypeNames[] = {"float32", "int8", "int4 weights"};

// Constants of a layer in bytes, by type: int8 has a float scale per channel, 4-bit weights half a
// byte, a scale and half a byte of zero point per group.
double weight_bytes(const QuantLayer& layer, uint8_t type, int64_t group) {
  if (layer.weights < 0) return 0;
  const Tensor& weights = *layer.node->constant_input(static_cast<size_t>(layer.weights));
  const auto count = static_cast<double>(weights.element_count());
  const double channels =
      layer.weight_axis < 0
          ? 1
          : static_cast<double>(weights.dim(static_cast<size_t>(layer.weight_axis)));
  if (type == kInt8) return count + 4 * channels;
  if (type == kSmallWeights) return count / 2 + count / static_cast<double>(group) * 4.5;
  return 4 * count;
}

class MixedPrecision {
 public:
  MixedPrecision(PrecisionContext& context, const StaticResult& int8, const Graph& fixed,
                 const OutputReference& reference, SampleRunner& runner)
      : context_(context),
        int8_(int8),
        reference_(reference),
        runner_(runner),
        fixed_(clone(fixed)) {
    for (const QuantLayer& layer : int8.sites.layers) {
      if (layer.role == QuantRole::kCompute) layers_.push_back(layer);
    }
    for (const WeightLayer& layer : weight_layers(*context.model.graph)) {
      small_.insert(layer.name());
    }
  }

  Result<MixedResult> search() {
    const bool by_size = context_.precision.objective == "size";
    if (!by_size) EDGEWRIGHT_TRY(measure());
    EDGEWRIGHT_TRY(find_sensitivity(by_size ? 3 : 2));
    MixedProblem problem;
    problem.layers = layers_.size();
    problem.types = by_size ? 3 : 2;
    problem.sensitivity = sensitivity_;
    problem.cost = [&](const Assignment& a) { return by_size ? size_cost(a) : latency_cost(a); };
    problem.judge = [&](const Assignment& a) { return judge(a); };
    MixedOptions options;
    options.seed = context_.options.seed;
    options.progress = context_.options.progress;
    options.exhaustive = context_.precision.exhaustive;
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::duration<double>(context_.precision.seconds);
    options.out_of_time = [end] { return std::chrono::steady_clock::now() > end; };
    return search_mixed(problem, options);
  }

  // Changes the graph as the assignment says. `form` and `weights` say how.
  Status apply(Graph& graph, const Assignment& assignment, QdqForm form, WeightForm weights) {
    for (const WeightLayer& layer : weight_layers(graph)) {
      if (type_of(assignment, layer.name()) != kSmallWeights) continue;
      const GroupedOptions grouped{4, context_.precision.group};
      EDGEWRIGHT_TRY(
          replace_weights(graph, layer,
                          find_weight_method("mse")->round(layer.weights(), layer.rows,
                                                           layer.columns, grouped, nullptr),
                          weights));
    }
    return insert_qdq(graph, decision_of(assignment), form);
  }

  QuantDecision decision_of(const Assignment& assignment) {
    QuantDecision decision = int8_.decision;
    decision.layers.clear();
    for (const QuantLayer& layer : sites_of(*context_.model.graph, assignment).layers) {
      decision.layers.insert(layer.name());
    }
    return decision;
  }

  Result<OutputQuality> quality(const Assignment& assignment) {
    const auto copy = clone(*context_.model.graph);
    EDGEWRIGHT_TRY(apply(*copy, assignment, QdqForm::kSimulated, WeightForm::kRoundedFloat));
    return reference_.compare(*copy);
  }

  // Whole models as they will run, for latency: float, all int8, and the assignment.
  Result<std::vector<Latency>> whole_latencies(const Assignment& assignment) {
    const Assignment all(layers_.size(), kInt8);
    std::vector<std::unique_ptr<Graph>> graphs;
    for (const Assignment& one : {Assignment(layers_.size(), kFloat), all, assignment}) {
      auto copy = clone(*fixed_);
      EDGEWRIGHT_TRY(apply(*copy, one, QdqForm::kNodes, WeightForm::kRoundedFloat));
      EDGEWRIGHT_TRY(finish_graph(*copy));
      graphs.push_back(std::move(copy));
    }
    const std::vector<const Graph*> list = {graphs[0].get(), graphs[1].get(), graphs[2].get()};
    return meter().measure(list);
  }

  std::map<std::string, uint8_t> types(const Assignment& assignment) const {
    std::map<std::string, uint8_t> result;
    for (size_t l = 0; l < layers_.size(); ++l) result[layers_[l].name()] = assignment[l];
    return result;
  }
  size_t layer_count() const { return layers_.size(); }

 private:
  PlanMeter meter() const {
    InferenceOptions options;
    options.threads = context_.options.threads;
    options.tune = context_.options.tune;
    options.timing_cache = context_.options.timing_cache;
    return {options, 3};
  }

  uint8_t type_of(const Assignment& assignment, const std::string& name) const {
    for (size_t l = 0; l < layers_.size(); ++l) {
      if (layers_[l].name() == name) return assignment[l];
    }
    return kFloat;
  }

  QuantSites sites_of(Graph& graph, const Assignment& assignment) const {
    SiteOptions options{int8_.excluded, context_.precision.chains};
    for (size_t l = 0; l < layers_.size(); ++l) {
      if (assignment[l] != kInt8) options.excluded.insert(layers_[l].name());
    }
    return find_sites(graph, options);
  }

  Status measure() {
    QuantSites sites = find_sites(*fixed_, {int8_.excluded, context_.precision.chains});
    PlanMeter plan_meter = meter();
    EDGEWRIGHT_ASSIGN(LayerCosts costs, LayerCosts::measure(*fixed_, sites, int8_.decision,
                                                            plan_meter, context_.options.progress));
    costs_ = std::move(costs);
    return {};
  }

  double latency_cost(const Assignment& assignment) {
    return costs_->total_us(sites_of(*fixed_, assignment));
  }

  double size_cost(const Assignment& assignment) const {
    double sum = 0;
    for (size_t l = 0; l < layers_.size(); ++l) {
      // What cannot have small weights alone would only pretend to be small.
      const bool possible = assignment[l] != kSmallWeights || small_.contains(layers_[l].name());
      sum += weight_bytes(layers_[l], possible ? assignment[l] : kFloat, context_.precision.group);
    }
    return sum;
  }

  // Layer by layer: the squared relative error of the layer alone, scaled so that all of them
  // together give what the whole int8 model shows at its outputs.
  Status find_sensitivity(size_t types) {
    double sum = 0;
    for (const QuantLayer& layer : layers_) {
      sum += std::pow(int8_.layers.at(layer.name()).relative(), 2);
    }
    const double scale = std::pow(int8_.quality.relative_l2, 2) / std::max(sum, 1e-30);
    sensitivity_.assign(layers_.size() * types, 0);
    for (size_t l = 0; l < layers_.size(); ++l) {
      sensitivity_[l * types + kInt8] =
          scale * std::pow(int8_.layers.at(layers_[l].name()).relative(), 2);
    }
    for (const WeightLayer& layer : weight_layers(*context_.model.graph)) {
      if (types <= kSmallWeights) break;
      const std::vector<float> weights = layer.weights();
      const GroupedWeights rounded = find_weight_method("mse")->round(
          weights, layer.rows, layer.columns, {4, context_.precision.group}, nullptr);
      const double error = output_squared_error(weights, rounded, nullptr);
      const double norm = output_squared_norm(weights, layer.rows, layer.columns, nullptr);
      for (size_t l = 0; l < layers_.size(); ++l) {
        if (layers_[l].name() != layer.name()) continue;
        sensitivity_[l * types + kSmallWeights] = scale * error / std::max(norm, 1e-30);
      }
    }
    return {};
  }

  // Allowed: within the goals, and by no measure worse than int8 everywhere.
  Result<MixedProblem::Verdict> judge(const Assignment& assignment) {
    EDGEWRIGHT_ASSIGN(const OutputQuality found, quality(assignment));
    MixedProblem::Verdict verdict;
    verdict.error = found.relative_l2;
    const double lost = 100 * (found.reference_top1.value_or(0) - found.top1.value_or(0));
    const double allowed_loss = context_.precision.max_loss.value_or(0.5);
    const bool within =
        found.relative_l2 <= context_.precision.max_error && (!found.top1 || lost <= allowed_loss);
    const bool by_size = context_.precision.objective == "size";
    verdict.allowed = within && (by_size || found.relative_l2 <= int8_.quality.relative_l2);
    return verdict;
  }

  PrecisionContext& context_;
  const StaticResult& int8_;
  const OutputReference& reference_;
  SampleRunner& runner_;
  std::unique_ptr<Graph> fixed_;
  std::vector<QuantLayer> layers_;
  std::set<std::string> small_;
  std::vector<double> sensitivity_;
  std::optional<LayerCosts> costs_;
};

std::string front_text(const MixedResult& result, size_t index, bool by_size) {
  const MixedPoint& point = result.judged[index];
  return fmt::format("{:.1f} {} with error {:.4g}", by_size ? point.cost / 1024 : point.cost,
                     by_size ? "KiB" : "us", point.error);
}

void report_search(const MixedResult& found, bool by_size, ConvertReport& report) {
  for (const size_t i : found.front) {
    const auto& a = found.judged[i].assignment;
    const auto layers = std::ranges::count_if(a, [](uint8_t type) { return type != kFloat; });
    report.pareto.push_back({found.judged[i].cost, found.judged[i].error,
                             static_cast<int64_t>(layers), i == found.knee, i == found.chosen});
  }
  report.choices.push_back(
      {"mix", front_text(found, found.chosen, by_size),
       front_text(found, found.knee, by_size) + " (the knee)",
       fmt::format("the cheapest of {} mixes that keeps the goals", found.judged.size())});
  if (!found.proved) return;
  report.choices.push_back(
      {"every mix", front_text(found, found.chosen, by_size),
       front_text(found, found.found, by_size) + " (the search)",
       fmt::format("all {} mixes were judged after the search", found.judged.size())});
}

}  // namespace

Result<bool> to_mixed(PrecisionContext& context) {
  Graph& graph = *context.model.graph;
  EDGEWRIGHT_TRY(load_data(context, true));
  QuantizationReport& result = context.report.quantization.emplace();
  PlanRunner runner(context.data, context.options.threads);
  EDGEWRIGHT_ASSIGN(const auto reference,
                    OutputReference::create(*context.original, runner, context.split.held_back,
                                            context.data.labels));
  EDGEWRIGHT_ASSIGN(const StaticOptions options, static_int8_options(context));
  EDGEWRIGHT_ASSIGN(const StaticResult int8,
                    quantize_static(graph, runner, context.split, reference, options));
  add_choices(int8.choices, context.report);
  EDGEWRIGHT_ASSIGN(const auto fixed, fixed_shape_copy(context, graph));
  MixedPrecision mixed(context, int8, *fixed, reference, runner);
  EDGEWRIGHT_ASSIGN(const MixedResult found, mixed.search());
  const bool by_size = context.precision.objective == "size";
  report_search(found, by_size, context.report);
  const Assignment& chosen = found.judged[found.chosen].assignment;
  EDGEWRIGHT_ASSIGN(const OutputQuality quality, mixed.quality(chosen));
  fill_quality(quality, result);
  result.calibration_samples = static_cast<int64_t>(context.split.calibration.size());
  if (!by_size) {
    EDGEWRIGHT_ASSIGN(const auto whole, mixed.whole_latencies(chosen));
    context.report.choices.push_back(
        {"whole model", fmt::format("{:.0f} us mixed", whole[2].median_us),
         fmt::format("{:.0f} us float32, {:.0f} us int8", whole[0].median_us, whole[1].median_us),
         "medians, measured in turns on this machine"});
  }
  const QuantDecision decision = mixed.decision_of(chosen);
  EDGEWRIGHT_ASSIGN(result.int8_macs_share, macs_share(context, graph, decision.layers));
  add_precisions(graph, decision.layers, "int8", context.report);
  for (const auto& [name, type] : mixed.types(chosen)) {
    if (type != kSmallWeights) continue;
    const Node* node = graph.find_value(name)->producer;
    context.report.precision[node->name.empty() ? name : node->name] = kTypeNames[type];
  }
  EDGEWRIGHT_TRY(mixed.apply(graph, chosen, QdqForm::kNodes, WeightForm::kBlocks));
  EDGEWRIGHT_TRY(finish_graph(graph));
  return meets_goals(context, result);
}

}  // namespace edgewright
