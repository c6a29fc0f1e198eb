// int8 with ranges from samples, int8 with ranges found at run time, and models that bring their
// own quantisation.
#include <algorithm>

#include "api/export_formats.h"
#include "api/plan_meter.h"
#include "api/precision_context.h"
#include "graph/text.h"
#include "passes/rewrite.h"
#include "quantize/dynamic_int8.h"
#include "quantize/migrate_scales.h"
#include "quantize/refusal.h"
#include "quantize/repair.h"

namespace edgewright {
namespace {

// The layers that are off most, worst first.
std::vector<GuiltyLayer> guilty_layers(const std::map<std::string, LayerError>& layers) {
  std::vector<GuiltyLayer> result;
  result.reserve(layers.size());
  for (const auto& [name, error] : layers) result.push_back({name, error.relative()});
  std::ranges::stable_sort(result, std::ranges::greater(), &GuiltyLayer::relative_l2);
  return result;
}

std::string cache_key(const PrecisionContext& context) {
  const Graph& graph = *context.model.graph;
  const std::hash<std::string_view> hash;
  size_t weights = 0;
  for (const Value& value : graph.values()) {
    if (!value.is_constant() || value.constant->dtype() == DType::kString) continue;
    const auto bytes = value.constant->byte_span();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    weights = weights * 31 + hash(text);
  }
  return fmt::format("{:016x}-{:016x}-{}-{}", hash(print(graph, {16, true})), weights,
                     context.data.fingerprint, context.precision.averaging_factor);
}

bool brings_quantisation(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const Node& n) { return n.is("QuantizeLinear"); });
}

// Layers all of whose data come out of DequantizeLinear.
std::set<std::string> dequantized_layers(const Graph& graph) {
  std::set<std::string> layers;
  for (const Node& node : graph.nodes()) {
    if (quant_role(node) != QuantRole::kCompute) continue;
    const bool both = producer(node.input(0), "DequantizeLinear") != nullptr &&
                      producer(node.input(1), "DequantizeLinear") != nullptr;
    if (both) layers.insert(node.outputs[0]->name);
  }
  return layers;
}

// A model from quantisation-aware training was trained for its scales: they are kept to the digit,
// and nothing that it left in float is rounded.
Result<bool> keep_own_quantisation(PrecisionContext& context) {
  QuantizationReport& result = context.report.quantization.emplace();
  const auto layers = dequantized_layers(*context.model.graph);
  EDGEWRIGHT_ASSIGN(result.int8_macs_share, macs_share(context, *context.model.graph, layers));
  add_precisions(*context.model.graph, layers, "int8", context.report);
  context.report.choices.push_back(
      {"ranges", "the model's own", "estimated from samples",
       "the model holds QuantizeLinear: its scales were trained and are honoured as they are"});
  return true;
}

InferenceOptions meter_options(const PrecisionContext& context) {
  InferenceOptions inference;
  inference.threads = context.options.threads;
  inference.tune = context.options.tune;
  inference.timing_cache = context.options.timing_cache;
  return inference;
}

// The model with a decision carried out, with fixed shapes, as it will be measured.
Result<std::unique_ptr<Graph>> decided_copy(const PrecisionContext& context,
                                            const QuantDecision& decision) {
  auto copy = clone(*context.model.graph);
  EDGEWRIGHT_TRY(insert_qdq(*copy, decision, QdqForm::kNodes));
  EDGEWRIGHT_TRY(finish_graph(*copy));
  return fixed_shape_copy(context, *copy);
}

// What the layers' own times cannot show, because layouts and fusions join layers: the model as a
// whole in float, with all layers in integers, and with those that are left after the refusal.
enum class Form : uint8_t { kFloat, kAll, kMixed };
Result<Form> quickest_form(PrecisionContext& context, const StaticResult& all,
                           const StaticResult* mixed) {
  constexpr double kLeastGain = 0.02;  // less is within what measuring is off by
  constexpr const char* kNames[] = {"float32", "all in int8", "the mix"};
  std::vector<std::unique_ptr<Graph>> graphs;
  EDGEWRIGHT_ASSIGN(graphs.emplace_back(), fixed_shape_copy(context, *context.model.graph));
  EDGEWRIGHT_ASSIGN(graphs.emplace_back(), decided_copy(context, all.decision));
  if (mixed != nullptr) {
    EDGEWRIGHT_ASSIGN(graphs.emplace_back(), decided_copy(context, mixed->decision));
  }
  std::vector<const Graph*> pointers;
  for (const auto& graph : graphs) pointers.push_back(graph.get());
  PlanMeter meter(meter_options(context), 1);
  EDGEWRIGHT_ASSIGN(const auto times, meter.measure(pointers));
  const auto us = [&](size_t form) { return times[form].median_us; };
  size_t best = mixed != nullptr ? 2 : 1;
  if (best == 2 && us(1) < (1 - kLeastGain) * us(2)) best = 1;
  // The plain loops of an operator that has no integer kernel say nothing about it.
  if (us(0) < (1 - kLeastGain) * us(best) && times[best].tuned) best = 0;
  std::vector<std::string> others;
  for (size_t form = 0; form < times.size(); ++form) {
    if (form != best) others.push_back(fmt::format("{:.0f} us {}", us(form), kNames[form]));
  }
  context.report.choices.push_back(
      {"whole model", fmt::format("{:.0f} us {}", us(best), kNames[best]),
       fmt::format("{}", fmt::join(others, ", ")), "measured here as one plan each"});
  return static_cast<Form>(best);
}

// The model stays as it is: nothing is rounded, so nothing is lost.
void stay_in_float(PrecisionContext& context, StaticResult& chosen) {
  chosen = StaticResult();
  context.report.warnings.push_back(
      "int8 measures slower than float32 here, so the model stays in float32; "
      "--quantize refuse=off rounds it all the same");
}

void stay_whole_in_float(PrecisionContext& context, StaticResult& chosen) {
  context.report.choices.push_back(
      {"every layer", "float32", "int8", "the model as a whole measures slower in int8 here"});
  stay_in_float(context, chosen);
}

// Layers that measure slower in integers here go back to float, and the rest is decided again.
Status refuse(PrecisionContext& context, SampleRunner& runner, const OutputReference& reference,
              StaticOptions& options, StaticResult& chosen) {
  EDGEWRIGHT_ASSIGN(const auto fixed, fixed_shape_copy(context, *context.model.graph));
  const SiteOptions site_options{options.excluded, options.chains};
  const QuantSites sites = find_sites(*fixed, site_options);
  PlanMeter meter(meter_options(context), 2);
  const auto costs =
      LayerCosts::measure(*fixed, sites, chosen.decision, meter, context.options.progress);
  if (!costs.ok()) {
    // The result may run elsewhere all the same.
    context.report.warnings.push_back("layers were not measured: " + costs.error().message);
    return {};
  }
  const RefusedLayers refusal = refuse_slower(*fixed, sites, *costs, site_options);
  context.report.choices.push_back(
      {"layers together", fmt::format("{:.0f} us", refusal.chosen_us),
       fmt::format("{:.0f} us all in int8, {:.0f} us all in float32", refusal.all_integer_us,
                   refusal.all_float_us),
       "measured here, one by one, with the conversions between them"});
  if (context.precision.refuse == "off") {
    add_choices(refusal.choices, context.report);
    EDGEWRIGHT_ASSIGN(const Form form, quickest_form(context, chosen, nullptr));
    if (form == Form::kFloat || !refusal.layers.empty()) {
      context.report.warnings.push_back(fmt::format(
          "{} layers{} measure slower in int8 and are kept in int8 as asked", refusal.layers.size(),
          form == Form::kFloat ? " and the model as a whole" : ""));
    }
    return {};
  }
  if (refusal.layers.empty()) {
    EDGEWRIGHT_ASSIGN(const Form form, quickest_form(context, chosen, nullptr));
    if (form == Form::kFloat) stay_whole_in_float(context, chosen);
    return {};
  }
  StaticOptions fewer = options;
  fewer.excluded.insert(refusal.layers.begin(), refusal.layers.end());
  if (find_sites(*context.model.graph, {fewer.excluded, fewer.chains}).layers.empty()) {
    add_choices(refusal.choices, context.report);
    stay_in_float(context, chosen);
    return {};
  }
  auto again = quantize_static(*context.model.graph, runner, context.split, reference, fewer);
  if (!again.ok()) return std::move(again).error();
  EDGEWRIGHT_ASSIGN(const Form form, quickest_form(context, chosen, &*again));
  // Layers that looked slower alone are not refused where the whole is slower without them.
  if (form == Form::kAll) return {};
  add_choices(refusal.choices, context.report);
  if (form == Form::kFloat) {
    stay_whole_in_float(context, chosen);
    return {};
  }
  options = std::move(fewer);
  for (QuantChoice& one : chosen.choices) {
    if (one.what == "scale migration") again->choices.push_back(std::move(one));
  }
  chosen = *std::move(again);
  return {};
}

}  // namespace

Result<StaticOptions> static_int8_options(PrecisionContext& context) {
  const PrecisionOptions& precision = context.precision;
  StaticOptions result;
  result.calibrator = precision.calibrator;
  result.calibration.percentile = precision.percentile;
  result.averaging_factor = precision.averaging_factor;
  result.correct_bias = precision.bias_correction;
  result.chains = precision.chains;
  const ExportFormat* format = find_export_format(context.options.to);
  result.outputs = format != nullptr && format->integer_outputs;
  result.progress = context.options.progress;
  EDGEWRIGHT_ASSIGN(result.scheme, choose_scheme(context));
  EDGEWRIGHT_ASSIGN(result.excluded, excluded_layers(context));
  result.cache = precision.cache;
  result.cache_key = cache_key(context);
  return result;
}

Result<bool> to_int8(PrecisionContext& context) {
  if (brings_quantisation(*context.model.graph)) return keep_own_quantisation(context);
  EDGEWRIGHT_TRY(load_data(context, true));
  QuantizationReport& result = context.report.quantization.emplace();
  EDGEWRIGHT_ASSIGN(StaticOptions options, static_int8_options(context));
  result.calibration_samples = static_cast<int64_t>(context.split.calibration.size());
  PlanRunner runner(context.data, context.options.threads);
  EDGEWRIGHT_ASSIGN(const auto reference,
                    OutputReference::create(*context.original, runner, context.split.held_back,
                                            context.data.labels));
  EDGEWRIGHT_ASSIGN(StaticResult chosen, quantize_static(*context.model.graph, runner,
                                                         context.split, reference, options));
  std::vector<std::string> scaled;
  if (context.precision.migrate_scales) {
    EDGEWRIGHT_ASSIGN(scaled, try_migration(context.model.graph, runner, context.split, reference,
                                            options, chosen));
  }
  // What a layer takes here says nothing of another runtime.
  const bool here = find_export_format(context.options.to) == nullptr;
  if (here && context.precision.refuse != "unmeasured") {
    EDGEWRIGHT_TRY(refuse(context, runner, reference, options, chosen));
  }
  Graph& graph = *context.model.graph;
  add_choices(chosen.choices, context.report);
  fill_quality(chosen.quality, result);
  result.calibration_us = chosen.calibration_us;
  result.guilty = guilty_layers(chosen.layers);
  EDGEWRIGHT_ASSIGN(result.int8_macs_share, macs_share(context, graph, chosen.decision.layers));
  add_precisions(graph, chosen.decision.layers, "int8", context.report);
  EDGEWRIGHT_TRY(insert_qdq(graph, chosen.decision, QdqForm::kNodes));
  rename_scaled(graph, scaled);
  EDGEWRIGHT_TRY(finish_graph(graph));
  return meets_goals(context, result);
}

Result<bool> to_dynamic_int8(PrecisionContext& context) {
  Graph& graph = *context.model.graph;
  EDGEWRIGHT_TRY(load_data(context, false));
  EDGEWRIGHT_ASSIGN(const Scheme scheme, choose_scheme(context));
  EDGEWRIGHT_ASSIGN(const auto excluded, excluded_layers(context));
  const auto original = clone(graph);
  // Other runtimes find the scales of activations by themselves.
  const bool here = find_export_format(context.options.to) == nullptr;
  const auto layers = here ? insert_dynamic_int8(graph, scheme, excluded)
                           : insert_integer_weights(graph, scheme, excluded);
  if (layers.empty()) {
    return unsupported(
        "no layer can run in integers: expected MatMul or Gemm with a constant float32 matrix in "
        "the main graph; convolutions need --precision int8");
  }
  EDGEWRIGHT_TRY(finish_graph(graph));
  QuantizationReport& result = context.report.quantization.emplace();
  add_precisions(*original, layers, "int8-dynamic", context.report);
  EDGEWRIGHT_ASSIGN(result.int8_macs_share, macs_share(context, *original, layers));
  if (!context.has_data()) return true;
  PlanRunner runner(context.data, context.options.threads);
  EDGEWRIGHT_ASSIGN(const auto reference,
                    OutputReference::create(*context.original, runner, context.split.held_back,
                                            context.data.labels));
  EDGEWRIGHT_ASSIGN(const OutputQuality quality, reference.compare(*context.model.graph));
  fill_quality(quality, result);
  return meets_goals(context, result);
}

}  // namespace edgewright
