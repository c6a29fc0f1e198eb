// A type for every layer: the cheapest mix that keeps its goals.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "api/mixed_types.h"
#include "api/plan_meter.h"
#include "api/precision_context.h"
#include "passes/rewrite.h"
#include "quantize/low_float.h"
#include "quantize/mixed_search.h"
#include "quantize/refusal.h"
#include "quantize/weight_only.h"

namespace edgewright {
namespace {

enum class Objective : uint8_t { kLatency, kSize, kEnergy };

Objective objective_of(const PrecisionOptions& options) {
  if (options.objective == "size") return Objective::kSize;
  return options.objective == "energy" ? Objective::kEnergy : Objective::kLatency;
}

class MixedPrecision {
 public:
  MixedPrecision(PrecisionContext& context, const StaticResult& int8, const Graph& fixed,
                 const OutputReference& reference, SampleRunner& runner)
      : context_(context),
        int8_(int8),
        reference_(reference),
        runner_(runner),
        objective_(objective_of(context.precision)),
        fixed_(clone(fixed)) {
    for (const QuantLayer& layer : int8.sites.layers) {
      if (layer.role == QuantRole::kCompute) layers_.push_back(layer);
    }
    for (const WeightLayer& layer : weight_layers(*context.model.graph)) {
      small_.insert(layer.name());
    }
  }

  Result<MixedResult> search() {
    types_ = allowed_types(context_);
    EDGEWRIGHT_TRY(find_low_layers());
    if (objective_ == Objective::kEnergy) {
      EDGEWRIGHT_ASSIGN(energy_, LayerEnergy::create(context_.precision.device));
    }
    if (objective_ == Objective::kLatency) EDGEWRIGHT_TRY(measure());
    fill_costs();
    find_sensitivity();
    MixedProblem problem;
    problem.layers = layers_.size();
    problem.types = types_.size();
    problem.sensitivity = sensitivity_;
    problem.cost = [&](const Assignment& a) { return cost(a); };
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
    const auto types = types_of(assignment);
    for (const WeightLayer& layer : weight_layers(graph)) {
      const auto it = types.find(layer.name());
      if (it == types.end() || it->second != kMixedInt4) continue;
      const GroupedOptions grouped{4, context_.precision.group};
      EDGEWRIGHT_TRY(
          replace_weights(graph, layer,
                          find_weight_method("mse")->round(layer.weights(), layer.rows,
                                                           layer.columns, grouped, nullptr),
                          weights));
    }
    EDGEWRIGHT_TRY(insert_qdq(graph, decision_of(assignment), form));
    const auto low = low_layers(assignment);
    if (low.empty()) return {};
    if (form == QdqForm::kSimulated) {
      simulate_low_float(graph, low);
      return {};
    }
    EDGEWRIGHT_TRY(finish_graph(graph));
    for (const DType dtype : {DType::kFloat16, DType::kBfloat16}) {
      LowFloatOptions options = low_options(dtype);
      options.only.emplace();
      for (const auto& [name, type] : low) {
        if (type == dtype) options.only->insert(name);
      }
      convert_low_float(graph, options);
      EDGEWRIGHT_TRY(finish_graph(graph));
    }
    return {};
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
    std::vector<std::unique_ptr<Graph>> graphs;
    const auto all = [&](uint8_t type) {
      const auto place = std::ranges::find(types_, type) - types_.begin();
      return Assignment(layers_.size(), static_cast<uint8_t>(place));
    };
    const bool has_int8 = std::ranges::find(types_, uint8_t{kMixedInt8}) != types_.end();
    for (const Assignment& one :
         {all(kMixedFloat), all(has_int8 ? kMixedInt8 : kMixedFloat), assignment}) {
      auto copy = clone(*fixed_);
      EDGEWRIGHT_TRY(apply(*copy, one, QdqForm::kNodes, WeightForm::kRoundedFloat));
      EDGEWRIGHT_TRY(finish_graph(*copy));
      graphs.push_back(std::move(copy));
    }
    const std::vector<const Graph*> list = {graphs[0].get(), graphs[1].get(), graphs[2].get()};
    return meter().measure(list);
  }

  // Layers by the value that they make, with their types (MixedTypeIndex).
  std::map<std::string, uint8_t> types_of(const Assignment& assignment) const {
    std::map<std::string, uint8_t> result;
    for (size_t l = 0; l < layers_.size(); ++l) result[layers_[l].name()] = type_of(assignment, l);
    return result;
  }
  std::string cost_text(double cost) const {
    switch (objective_) {
      case Objective::kSize: return fmt::format("{:.1f} KiB", cost / 1024);
      case Objective::kEnergy: return fmt::format("{:.2f} uJ", cost);
      case Objective::kLatency: break;
    }
    return fmt::format("{:.1f} us", cost);
  }
  std::string cost_source() const {
    switch (objective_) {
      case Objective::kSize: return "bytes of weights";
      case Objective::kEnergy: return energy_->source();
      case Objective::kLatency: break;
    }
    return "layers measured one by one on this machine";
  }

 private:
  PlanMeter meter() const {
    InferenceOptions options;
    options.threads = context_.options.threads;
    options.tune = context_.options.tune;
    options.timing_cache = context_.options.timing_cache;
    return {options, 3};
  }

  int opset() const {
    return context_.options.opset > 0 ? context_.options.opset : context_.model.source_opset;
  }
  LowFloatOptions low_options(DType dtype) const {
    LowFloatOptions options;
    options.dtype = dtype;
    options.observations = &observations_;
    if (context_.options.to == "onnx") options.target_opset = opset();
    return options;
  }

  // Which layers may compute in which 16-bit type: what their numbers reach decides, as it does
  // where the whole model is converted.
  Status find_low_layers() {
    std::set<std::string> names;
    for (const QuantLayer& layer : layers_) names.insert(layer.name());
    for (const uint8_t type : types_) {
      const DType dtype = mixed_type(type).low;
      if (dtype == DType::kUndefined) continue;
      if (observations_.empty()) {
        Graph& graph = *context_.model.graph;
        EDGEWRIGHT_ASSIGN(
            observations_,
            observe(graph, low_float_observed(graph), runner_, context_.split.calibration,
                    context_.precision.averaging_factor, context_.options.progress));
      }
      const auto copy = clone(*context_.model.graph);
      LowFloatOptions options = low_options(dtype);
      options.only = names;
      convert_low_float(*copy, options);
      for (const std::string& name : names) {
        const Value* made = copy->find_value(name);
        // Outputs of the graph are cast back and keep their names.
        if (made->producer->is("Cast")) made = made->producer->inputs[0];
        if (made->type.dtype == dtype) possible_.insert({name, type});
      }
    }
    for (const std::string& name : small_) possible_.insert({name, kMixedInt4});
    return {};
  }

  // The type that a layer has in an assignment.
  uint8_t type_of(const Assignment& assignment, size_t layer) const {
    return possible_type(layer, types_[assignment[layer]]);
  }
  // float32 where the layer cannot have what is asked for and would only pretend to be small.
  uint8_t possible_type(size_t layer, uint8_t type) const {
    const bool always = type == kMixedFloat || type == kMixedInt8;
    const bool possible = always || possible_.contains({layers_[layer].name(), type});
    return possible ? type : static_cast<uint8_t>(kMixedFloat);
  }

  std::map<std::string, DType> low_layers(const Assignment& assignment) const {
    std::map<std::string, DType> low;
    for (size_t l = 0; l < layers_.size(); ++l) {
      const DType dtype = mixed_type(type_of(assignment, l)).low;
      if (dtype != DType::kUndefined) low[layers_[l].name()] = dtype;
    }
    return low;
  }

  QuantSites sites_of(Graph& graph, const Assignment& assignment) const {
    SiteOptions options{int8_.excluded, context_.precision.chains};
    for (size_t l = 0; l < layers_.size(); ++l) {
      if (type_of(assignment, l) != kMixedInt8) options.excluded.insert(layers_[l].name());
    }
    return find_sites(graph, options);
  }

  // Types in which no layer measures quicker are left out of the search. 4-bit weights and float16
  // are not measured: the engine computes both on its float32 kernels.
  Status measure() {
    QuantSites sites = find_sites(*fixed_, {int8_.excluded, context_.precision.chains});
    std::vector<DType> low;
    if (std::ranges::find(types_, uint8_t{kMixedBrain}) != types_.end()) {
      low.push_back(DType::kBfloat16);
    }
    PlanMeter plan_meter = meter();
    EDGEWRIGHT_ASSIGN(LayerCosts costs,
                      LayerCosts::measure(*fixed_, sites, int8_.decision, plan_meter,
                                          context_.options.progress, low));
    costs_ = std::move(costs);
    std::erase_if(types_, [&](uint8_t type) {
      if (type == kMixedFloat || type == kMixedInt8) return false;
      const bool measured = type == kMixedBrain;
      const int64_t gaining = measured ? quicker_layers(type) : 0;
      const std::string why = measured
                                  ? fmt::format("{} of {} layers measure quicker than in float32",
                                                gaining, layers_.size())
                                  : "the engine computes them on float32 kernels";
      context_.report.choices.push_back({fmt::format("{} layers", mixed_type(type).report),
                                         gaining > 0 ? "tried in the mix" : "none", "", why});
      return gaining == 0;
    });
    return {};
  }

  int64_t quicker_layers(uint8_t type) const {
    const DType dtype = mixed_type(type).low;
    if (dtype == DType::kUndefined) return 0;
    return std::ranges::count_if(layers_, [&](const QuantLayer& layer) {
      if (!possible_.contains({layer.name(), type})) return false;
      const double plain_us = costs_->float_us(layer.name(), DType::kFloat32);
      return costs_->float_us(layer.name(), dtype) < plain_us;
    });
  }

  double cost(const Assignment& assignment) {
    if (objective_ == Objective::kLatency) {
      return costs_->total_us(sites_of(*fixed_, assignment), low_layers(assignment));
    }
    double sum = 0;
    for (size_t l = 0; l < layers_.size(); ++l) {
      sum += layer_costs_[l * types_.size() + assignment[l]];
    }
    return sum;
  }

  // Bytes or microjoules of every layer in every type: these add up.
  void fill_costs() {
    if (objective_ == Objective::kLatency) return;
    const int64_t group = context_.precision.group;
    for (size_t l = 0; l < layers_.size(); ++l) {
      for (size_t t = 0; t < types_.size(); ++t) {
        const uint8_t type = possible_type(l, types_[t]);
        layer_costs_.push_back(objective_ == Objective::kSize
                                   ? weight_bytes(layers_[l], type, group)
                                   : energy_->layer_uj(fixed_layer(l), type, group));
      }
    }
  }

  // The layer in the graph whose shapes are known.
  QuantLayer fixed_layer(size_t layer) const {
    QuantLayer result = layers_[layer];
    result.node = fixed_->find_value(result.name())->producer;
    return result;
  }

  // Layer by layer: the squared relative error of the layer alone, scaled so that all of them
  // together give what the whole int8 model shows at its outputs.
  void find_sensitivity() {
    double sum = 0;
    for (const QuantLayer& layer : layers_) {
      sum += std::pow(int8_.layers.at(layer.name()).relative(), 2);
    }
    const double scale = std::pow(int8_.quality.relative_l2, 2) / std::max(sum, 1e-30);
    const std::map<std::string, double> small = small_weight_errors();
    sensitivity_.assign(layers_.size() * types_.size(), 0);
    for (size_t l = 0; l < layers_.size(); ++l) {
      for (size_t t = 1; t < types_.size(); ++t) {
        double squared = 0;
        const std::string& name = layers_[l].name();
        if (types_[t] == kMixedInt8) squared = std::pow(int8_.layers.at(name).relative(), 2);
        if (types_[t] == kMixedInt4 && small.contains(name)) squared = small.at(name);
        // Rounding to p bits is off by at most 2^-p of a number, evenly spread, for both operands.
        if (types_[t] == kMixedHalf) squared = 2 * std::pow(2.0, -22) / 3;
        if (types_[t] == kMixedBrain) squared = 2 * std::pow(2.0, -16) / 3;
        sensitivity_[l * types_.size() + t] = scale * squared;
      }
    }
  }

  // Squared relative errors of 4-bit weights.
  std::map<std::string, double> small_weight_errors() const {
    std::map<std::string, double> errors;
    if (std::ranges::find(types_, uint8_t{kMixedInt4}) == types_.end()) return errors;
    for (const WeightLayer& layer : weight_layers(*context_.model.graph)) {
      const std::vector<float> weights = layer.weights();
      const GroupedWeights rounded = find_weight_method("mse")->round(
          weights, layer.rows, layer.columns, {4, context_.precision.group}, nullptr);
      const double error = output_squared_error(weights, rounded, nullptr);
      const double norm = output_squared_norm(weights, layer.rows, layer.columns, nullptr);
      errors[layer.name()] = error / std::max(norm, 1e-30);
    }
    return errors;
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
    const bool by_latency = objective_ == Objective::kLatency;
    verdict.allowed = within && (!by_latency || found.relative_l2 <= int8_.quality.relative_l2);
    return verdict;
  }

  PrecisionContext& context_;
  const StaticResult& int8_;
  const OutputReference& reference_;
  SampleRunner& runner_;
  Objective objective_;
  std::unique_ptr<Graph> fixed_;
  std::vector<uint8_t> types_;  // MixedTypeIndex of the search's types
  Observations observations_;   // where 16-bit floats are among them
  std::set<std::pair<std::string, uint8_t>> possible_;
  std::optional<LayerEnergy> energy_;
  std::vector<QuantLayer> layers_;
  std::set<std::string> small_;
  std::vector<double> sensitivity_, layer_costs_;  // [layer * types + type]
  std::optional<LayerCosts> costs_;
};

void report_search(const MixedPrecision& mixed, const MixedResult& found, ConvertReport& report) {
  const auto text = [&](size_t index) {
    const MixedPoint& point = found.judged[index];
    return fmt::format("{} with error {:.4g}", mixed.cost_text(point.cost), point.error);
  };
  for (const size_t i : found.front) {
    const auto& a = found.judged[i].assignment;
    const auto layers = std::ranges::count_if(a, [](uint8_t type) { return type != 0; });
    report.pareto.push_back({found.judged[i].cost, found.judged[i].error,
                             static_cast<int64_t>(layers), i == found.knee, i == found.chosen});
  }
  report.choices.push_back({"mix", text(found.chosen), text(found.knee) + " (the knee)",
                            fmt::format("the cheapest of {} mixes that keeps the goals; {}",
                                        found.judged.size(), mixed.cost_source())});
  report.choices.push_back({"all in float32", text(0), "", "what the mix is compared with"});
  if (!found.proved) return;
  report.choices.push_back(
      {"every mix", text(found.chosen), text(found.found) + " (the search)",
       fmt::format("all {} mixes were judged after the search", found.judged.size())});
}

// The type of every layer, and how many there are of each.
void report_types(Graph& graph, const std::map<std::string, uint8_t>& types,
                  ConvertReport& report) {
  std::map<std::string_view, int> counts;
  for (const auto& [name, type] : types) {
    ++counts[mixed_type(type).report];
    if (type == kMixedFloat || type == kMixedInt8) continue;
    const Node* node = graph.find_value(name)->producer;
    report.precision[node->name.empty() ? name : node->name] = mixed_type(type).report;
  }
  std::vector<std::string> parts;
  parts.reserve(counts.size());
  for (const auto& [type, count] : counts) parts.push_back(fmt::format("{} {}", count, type));
  report.choices.push_back({"types of layers", fmt::format("{}", fmt::join(parts, ", ")), "", ""});
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
  report_search(mixed, found, context.report);
  const Assignment& chosen = found.judged[found.chosen].assignment;
  EDGEWRIGHT_ASSIGN(const OutputQuality quality, mixed.quality(chosen));
  fill_quality(quality, result);
  result.calibration_samples = static_cast<int64_t>(context.split.calibration.size());
  if (objective_of(context.precision) == Objective::kLatency) {
    EDGEWRIGHT_ASSIGN(const auto whole, mixed.whole_latencies(chosen));
    context.report.choices.push_back(
        {"whole model", fmt::format("{:.0f} us mixed", whole[2].median_us),
         fmt::format("{:.0f} us float32, {:.0f} us int8", whole[0].median_us, whole[1].median_us),
         "medians, measured in turns on this machine"});
  }
  const QuantDecision decision = mixed.decision_of(chosen);
  EDGEWRIGHT_ASSIGN(result.int8_macs_share, macs_share(context, graph, decision.layers));
  add_precisions(graph, decision.layers, "int8", context.report);
  report_types(graph, mixed.types_of(chosen), context.report);
  EDGEWRIGHT_TRY(mixed.apply(graph, chosen, QdqForm::kNodes, WeightForm::kBlocks));
  EDGEWRIGHT_TRY(finish_graph(graph));
  return meets_goals(context, result);
}

}  // namespace edgewright
