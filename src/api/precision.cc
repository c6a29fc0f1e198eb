#include "api/precision.h"

#include <algorithm>

#include "api/precision_context.h"

namespace edgewright {
namespace {

// float32 with pruned weights: only the effect of that is measured.
Result<bool> judge_float(PrecisionContext& context) {
  if (!context.has_data()) return true;
  QuantizationReport& result = context.report.quantization.emplace();
  PlanRunner runner(context.data, context.options.threads);
  EDGEWRIGHT_ASSIGN(const auto reference,
                    OutputReference::create(*context.original, runner, context.split.held_back,
                                            context.data.labels));
  EDGEWRIGHT_ASSIGN(const OutputQuality quality, reference.compare(*context.model.graph));
  result.calibration_samples = static_cast<int64_t>(context.split.calibration.size());
  fill_quality(quality, result);
  return meets_goals(context, result);
}

// Every precision, with the opset whose operators its result needs; `ort_opset` in that dialect.
constexpr struct {
  std::string_view name;
  int opset, ort_opset;
  Result<bool> (*apply)(PrecisionContext& context);
} kPrecisions[] = {
    {"fp32", 0, 0, judge_float},
    {"fp16", 0, 0, [](PrecisionContext& c) { return to_low_float(c, DType::kFloat16); }},
    // Conv takes bfloat16 since 22.
    {"bf16", 22, 22, [](PrecisionContext& c) { return to_low_float(c, DType::kBfloat16); }},
    // QuantizeLinear has an axis since 13; LayerNormalization is one operator since 17.
    {"int8", 17, 17, to_int8},
    {"int8-dynamic", 11, 11, to_dynamic_int8},
    // DequantizeLinear has blocks since 21; MatMulNBits is no operator of ai.onnx.
    {"mixed", 21, 21, to_mixed},
    {"int4", 21, 0, to_small_weights},
};

const auto* find_precision(std::string_view name) {
  const auto* it = std::ranges::find_if(kPrecisions, [&](const auto& p) { return p.name == name; });
  return it == std::end(kPrecisions) ? nullptr : it;
}

}  // namespace

std::vector<std::string> precision_names() {
  std::vector<std::string> names;
  for (const auto& precision : kPrecisions) names.emplace_back(precision.name);
  return names;
}

int least_opset(const ConvertOptions& options) {
  const auto* precision = find_precision(options.precision);
  if (precision == nullptr) return 0;
  // Conv takes bfloat16 since 22.
  const auto brain = [](const std::string& one) {
    return one.starts_with("types=") && one.find("bf16") != std::string::npos;
  };
  if (precision->name == "mixed" && std::ranges::any_of(options.quantize, brain)) return 22;
  return options.dialect == "ort" ? precision->ort_opset : precision->opset;
}

Result<bool> apply_precision(Model& model, const ConvertOptions& options, ConvertReport& report) {
  const auto* precision = find_precision(options.precision);
  if (precision == nullptr) {
    return usage_error("found --precision {}, expected one of {}", options.precision,
                       fmt::join(precision_names(), ", "));
  }
  EDGEWRIGHT_ASSIGN(const PrecisionOptions details, parse_precision_options(options.quantize));
  PrecisionContext context{model, options, details, report};
  context.original = clone(*model.graph);
  if (details.sparsity) EDGEWRIGHT_TRY(prune_weights(context));
  EDGEWRIGHT_ASSIGN(const bool passed, precision->apply(context));
  if (details.sparsity) EDGEWRIGHT_TRY(choose_sparse_kernels(context));
  return passed;
}

}  // namespace edgewright
