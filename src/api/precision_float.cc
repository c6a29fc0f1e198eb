// float16 and bfloat16.
#include "api/precision_context.h"
#include "quantize/low_float.h"

namespace edgewright {
namespace {

// 16-bit layers may run on reference kernels here, so fewer samples judge them.
constexpr size_t kJudgingSamples = 4;

Status judge(PrecisionContext& context, QuantizationReport& result) {
  PlanRunner runner(context.data, context.options.threads);
  std::span<const size_t> samples = context.split.held_back;
  samples = samples.first(std::min(samples.size(), kJudgingSamples));
  EDGEWRIGHT_ASSIGN(const auto reference, OutputReference::create(*context.original, runner,
                                                                  samples, context.data.labels));
  EDGEWRIGHT_ASSIGN(const OutputQuality quality, reference.compare(*context.model.graph));
  fill_quality(quality, result);
  result.calibration_samples = static_cast<int64_t>(context.split.calibration.size());
  return {};
}

}  // namespace

Result<bool> to_low_float(PrecisionContext& context, DType dtype) {
  Graph& graph = *context.model.graph;
  EDGEWRIGHT_TRY(load_data(context, false));
  LowFloatOptions options;
  options.dtype = dtype;
  options.target_opset =
      context.options.opset > 0 ? context.options.opset : context.model.source_opset;
  EDGEWRIGHT_ASSIGN(options.excluded, excluded_layers(context));
  Observations observations;
  if (context.has_data()) {
    PlanRunner runner(context.data, context.options.threads);
    EDGEWRIGHT_ASSIGN(observations,
                      observe(graph, low_float_observed(graph), runner, context.split.calibration,
                              context.precision.averaging_factor, context.options.progress));
    options.observations = &observations;
  } else {
    context.report.warnings.push_back(
        "without --calibrate only the kinds of operators and the weights decide what stays in "
        "float32: values out of range may come up");
  }
  const LowFloatReport kept = convert_low_float(graph, options);
  for (const auto& [node, why] : kept.kept) {
    context.report.choices.push_back({node, "float32", std::string(dtype_name(dtype)), why});
  }
  EDGEWRIGHT_TRY(finish_graph(graph));
  add_precisions(graph, {}, "", context.report);
  QuantizationReport& result = context.report.quantization.emplace();
  if (context.has_data()) EDGEWRIGHT_TRY(judge(context, result));
  return meets_goals(context, result);
}

}  // namespace edgewright
