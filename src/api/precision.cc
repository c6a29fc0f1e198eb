#include "api/precision.h"

#include <algorithm>

#include "api/calibration_data.h"
#include "api/precision_options.h"
#include "base/cpu.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "graph/text.h"
#include "quantize/static_int8.h"

namespace edgewright {
namespace {

void add_choices(const std::vector<QuantChoice>& choices, ConvertReport& report) {
  for (const QuantChoice& one : choices) {
    report.choices.push_back({one.what, one.chosen, one.runner_up, one.why});
  }
}

// The layers that are off most, worst first.
std::vector<GuiltyLayer> guilty_layers(const std::map<std::string, LayerError>& layers) {
  std::vector<GuiltyLayer> result;
  for (const auto& [name, error] : layers) result.push_back({name, error.relative()});
  std::ranges::stable_sort(result, std::ranges::greater(), &GuiltyLayer::relative_l2);
  return result;
}

// Every node with the type in which it computes.
void add_precisions(const Graph& graph, const std::set<std::string>& layers, const char* inside,
                    ConvertReport& report) {
  for (const Node& node : graph.nodes()) {
    if (node.outputs.empty() || node.outputs[0] == nullptr) continue;
    const std::string& value = node.outputs[0]->name;
    const bool integer = layers.contains(value);
    const DType dtype = node.outputs[0]->type.dtype;
    report.precision[node.name.empty() ? value : node.name] =
        integer ? inside : std::string(dtype_name(dtype));
  }
}

Result<double> int8_share(const Graph& graph, const CalibrationData& data,
                          const std::set<std::string>& layers) {
  const auto copy = clone(graph);
  std::map<std::string, Dims> shapes;
  size_t next = 0;
  for (const Value* input : copy->inputs()) {
    if (!input->is_constant()) shapes[input->name] = data.samples[0][next++].tensor().dims();
  }
  EDGEWRIGHT_TRY(fix_shapes(*copy, shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*copy));
  return mac_share(*copy, layers).share();
}

void fill_quality(const OutputQuality& quality, QuantizationReport& report) {
  report.relative_l2 = quality.relative_l2;
  report.agreement = quality.agreement;
  report.top1 = quality.top1;
  report.reference_top1 = quality.reference_top1;
  report.held_back_samples = static_cast<int64_t>(quality.samples);
}

class PrecisionChange {
 public:
  PrecisionChange(Model& model, const ConvertOptions& options, const PrecisionOptions& precision,
                  ConvertReport& report)
      : model_(model), options_(options), precision_(precision), report_(report) {}

  Result<bool> to_int8() {
    EDGEWRIGHT_TRY(load());
    QuantizationReport& result = report_.quantization.emplace();
    EDGEWRIGHT_ASSIGN(StaticOptions static_options, static_int8_options());
    const SampleSplit split = split_samples(data_.samples.size());
    result.calibration_samples = static_cast<int64_t>(split.calibration.size());
    PlanRunner runner(data_, options_.threads);
    EDGEWRIGHT_ASSIGN(const auto reference, OutputReference::create(*model_.graph, runner,
                                                                    split.held_back, data_.labels));
    EDGEWRIGHT_ASSIGN(const StaticResult chosen,
                      quantize_static(*model_.graph, runner, split, reference, static_options));
    add_choices(chosen.choices, report_);
    fill_quality(chosen.quality, result);
    result.guilty = guilty_layers(chosen.layers);
    EDGEWRIGHT_ASSIGN(result.int8_macs_share,
                      int8_share(*model_.graph, data_, chosen.decision.layers));
    add_precisions(*model_.graph, chosen.decision.layers, "int8", report_);
    EDGEWRIGHT_TRY(insert_qdq(*model_.graph, chosen.decision, QdqForm::kNodes));
    EDGEWRIGHT_TRY(finish());
    return meets_goals(result);
  }

 private:
  Status load() {
    if (options_.calibrate.empty()) {
      return usage_error(
          "--precision {} needs samples: give --calibrate DATA (.npz or a folder of "
          ".npy)",
          options_.precision);
    }
    EDGEWRIGHT_ASSIGN(data_, load_calibration_data(*model_.graph, options_.calibrate));
    report_.warnings.insert(report_.warnings.end(), data_.warnings.begin(), data_.warnings.end());
    return {};
  }

  Result<StaticOptions> static_int8_options() {
    StaticOptions result;
    result.calibrator = precision_.calibrator;
    result.calibration.percentile = precision_.percentile;
    result.averaging_factor = precision_.averaging_factor;
    result.correct_bias = precision_.bias_correction;
    result.chains = precision_.chains;
    result.progress = options_.progress;
    if (precision_.scheme == "auto") {
      std::string why;
      result.scheme = scheme_for(host_cpu().features, why);
      report_.choices.push_back({"scheme", result.scheme.name, "", why});
    } else {
      EDGEWRIGHT_ASSIGN(result.scheme, scheme_by_name(precision_.scheme));
      report_.choices.push_back({"scheme", result.scheme.name, "", "asked for"});
    }
    result.scheme.symmetric = precision_.symmetric;
    result.scheme.per_channel = precision_.per_channel;
    EDGEWRIGHT_ASSIGN(result.excluded, excluded_layers());
    result.cache = precision_.cache;
    result.cache_key = cache_key();
    return result;
  }

  // Layers that stay in float by name of the node or of the value that it makes.
  Result<std::set<std::string>> excluded_layers() {
    std::set<std::string> excluded;
    for (const std::string& wanted : precision_.excluded) {
      bool found = false;
      for (const Node& node : model_.graph->nodes()) {
        if (node.outputs.empty() || node.outputs[0] == nullptr) continue;
        const std::string& value = node.outputs[0]->name;
        if (node.name != wanted && value != wanted && node.op != wanted) continue;
        excluded.insert(value);
        found = true;
      }
      if (!found) {
        return usage_error("--quantize exclude={}: no node, value or operator has this name",
                           wanted);
      }
    }
    return excluded;
  }

  std::string cache_key() const {
    const size_t graph = std::hash<std::string>()(print(*model_.graph, {16, true}));
    return fmt::format("{:016x}-{}-{}", graph, data_.fingerprint, precision_.averaging_factor);
  }

  Status finish() {
    EDGEWRIGHT_TRY(model_.graph->sort_topologically());
    model_.graph->remove_dead();
    return onnx_type_inferer().infer(*model_.graph);
  }

  bool meets_goals(const QuantizationReport& result) {
    bool met = true;
    const auto miss = [&](std::string text) {
      met = false;
      report_.warnings.push_back(std::move(text));
    };
    if (result.relative_l2 > precision_.max_error) {
      miss(fmt::format(
          "the outputs are off by {:.3g} (relative L2 on {} held-back samples), allowed "
          "are {:.3g} (--quantize max-error)",
          result.relative_l2, result.held_back_samples, precision_.max_error));
    }
    const double lost = 100 * (result.reference_top1.value_or(0) - result.top1.value_or(0));
    if (precision_.max_loss && result.top1 && lost > *precision_.max_loss) {
      miss(
          fmt::format("top-1 falls by {:.2f} points to {:.2f} % on {} held-back samples, allowed "
                      "are {:.2f} (--quantize max-loss)",
                      lost, 100 * *result.top1, result.held_back_samples, *precision_.max_loss));
    }
    return met;
  }

  Model& model_;
  const ConvertOptions& options_;
  const PrecisionOptions& precision_;
  ConvertReport& report_;
  CalibrationData data_;
};

}  // namespace

int least_opset(const ConvertOptions& options) {
  // QuantizeLinear has an axis since 13; LayerNormalization is one operator since 17.
  return options.precision == "int8" ? 17 : 0;
}

Result<bool> apply_precision(Model& model, const ConvertOptions& options, ConvertReport& report) {
  EDGEWRIGHT_ASSIGN(const PrecisionOptions precision, parse_precision_options(options.quantize));
  PrecisionChange change(model, options, precision, report);
  if (options.precision == "int8") return change.to_int8();
  return usage_error("found --precision {}, expected fp32 or int8", options.precision);
}

}  // namespace edgewright
