#include "api/precision_context.h"

#include <algorithm>

#include "base/cpu.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"

namespace edgewright {

Status load_data(PrecisionContext& context, bool needed) {
  const std::string& path = context.options.calibrate;
  if (context.has_data() || (path.empty() && !needed)) return {};
  if (path.empty()) {
    return usage_error(
        "--precision {} needs samples: give --calibrate DATA (.npz or a folder of .npy)",
        context.options.precision);
  }
  EDGEWRIGHT_ASSIGN(context.data, load_calibration_data(*context.model.graph, path));
  context.split = split_samples(context.data.samples.size());
  auto& warnings = context.report.warnings;
  warnings.insert(warnings.end(), context.data.warnings.begin(), context.data.warnings.end());
  return {};
}

Result<Scheme> choose_scheme(PrecisionContext& context) {
  Scheme scheme;
  std::string why = "asked for";
  if (context.precision.scheme == "auto") {
    scheme = scheme_for(host_cpu().features, why);
  } else {
    EDGEWRIGHT_ASSIGN(scheme, scheme_by_name(context.precision.scheme));
  }
  scheme.symmetric = context.precision.symmetric;
  scheme.per_channel = context.precision.per_channel;
  context.report.choices.push_back({"scheme", scheme.name, "", why});
  return scheme;
}

Result<std::set<std::string>> excluded_layers(const PrecisionContext& context) {
  std::set<std::string> excluded;
  for (const std::string& wanted : context.precision.excluded) {
    bool found = false;
    for (const Node& node : context.model.graph->nodes()) {
      if (node.outputs.empty() || node.outputs[0] == nullptr) continue;
      const std::string& value = node.outputs[0]->name;
      if (node.name != wanted && value != wanted && node.op != wanted) continue;
      excluded.insert(value);
      found = true;
    }
    if (!found) {
      return usage_error("--quantize exclude={}: no node, value or operator has this name", wanted);
    }
  }
  return excluded;
}

void add_choices(const std::vector<QuantChoice>& choices, ConvertReport& report) {
  for (const QuantChoice& one : choices) {
    report.choices.push_back({one.what, one.chosen, one.runner_up, one.why});
  }
}

void add_precisions(const Graph& graph, const std::set<std::string>& layers, const char* inside,
                    ConvertReport& report) {
  for (const Node& node : graph.nodes()) {
    if (node.outputs.empty() || node.outputs[0] == nullptr) continue;
    const std::string& value = node.outputs[0]->name;
    const std::string_view made = dtype_name(node.outputs[0]->type.dtype);
    report.precision[node.name.empty() ? value : node.name] =
        layers.contains(value) ? inside : std::string(made);
  }
}

Result<std::unique_ptr<Graph>> fixed_shape_copy(const PrecisionContext& context,
                                                const Graph& graph) {
  auto copy = clone(graph);
  std::map<std::string, Dims> shapes;
  size_t next = 0;
  for (const Value* input : copy->inputs()) {
    if (input->is_constant()) continue;
    if (context.has_data()) {
      shapes[input->name] = context.data.samples[0][next++].tensor().dims();
    } else if (input->type.shape) {
      Dims& dims = shapes[input->name];
      for (const Dim& dim : *input->type.shape) dims.push_back(dim.is_known() ? dim.value : 1);
    }
  }
  EDGEWRIGHT_TRY(fix_shapes(*copy, shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*copy));
  return copy;
}

Result<double> macs_share(const PrecisionContext& context, const Graph& graph,
                          const std::set<std::string>& layers) {
  EDGEWRIGHT_ASSIGN(const auto copy, fixed_shape_copy(context, graph));
  return mac_share(*copy, layers).share();
}

void fill_quality(const OutputQuality& quality, QuantizationReport& report) {
  report.relative_l2 = quality.relative_l2;
  report.agreement = quality.agreement;
  report.top1 = quality.top1;
  report.reference_top1 = quality.reference_top1;
  report.held_back_samples = static_cast<int64_t>(quality.samples);
}

Status finish_graph(Graph& graph) {
  EDGEWRIGHT_TRY(graph.sort_topologically());
  graph.remove_dead();
  return onnx_type_inferer().infer(graph);
}

bool meets_goals(PrecisionContext& context, const QuantizationReport& result) {
  const PrecisionOptions& goals = context.precision;
  bool met = true;
  const auto miss = [&](std::string text) {
    met = false;
    context.report.warnings.push_back(std::move(text));
  };
  if (!(result.relative_l2 <= goals.max_error)) {
    miss(fmt::format(
        "the outputs are off by {:.3g} (relative L2 on {} held-back samples), allowed are {:.3g} "
        "(--quantize max-error)",
        result.relative_l2, result.held_back_samples, goals.max_error));
  }
  const double lost = 100 * (result.reference_top1.value_or(0) - result.top1.value_or(0));
  if (goals.max_loss && result.top1 && lost > *goals.max_loss) {
    miss(fmt::format(
        "top-1 falls by {:.2f} points to {:.2f} % on {} held-back samples, allowed are {:.2f} "
        "(--quantize max-loss)",
        lost, 100 * *result.top1, result.held_back_samples, *goals.max_loss));
  }
  return met;
}

}  // namespace edgewright
