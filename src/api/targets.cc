#include <algorithm>

#include "api/engine.h"
#include "api/open_backend.h"
#include "api/target_plan.h"
#include "edgewright/convert.h"
#include "edgewright/deploy.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"

namespace edgewright {
namespace {

Result<TargetReport> check_model(const std::string& path, const TargetOptions& options) {
  EDGEWRIGHT_ASSIGN(const TargetPlanner planner, TargetPlanner::create(options));
  EDGEWRIGHT_ASSIGN(Model model, load_model(path));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, options.shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  const std::set<std::string> original = operators_of(*model.graph);
  if (!options.as_is) {
    PipelineOptions pipeline;
    EDGEWRIGHT_ASSIGN(pipeline.pass.target_opset, planner.fusing_opset(model));
    EDGEWRIGHT_TRY(optimise_model(model, pipeline));
    EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  }
  EDGEWRIGHT_ASSIGN(const GeluLimits gelu, planner.gelu_limits(*model.graph));
  TargetReport report = planner.check(model, original, gelu);
  if (report.opset > 0 && model.source_opset > report.opset) {
    report.warnings.push_back(fmt::format(
        "the importer reads opset {} at most, the model has {}: --fix, or convert --to {}@{}, "
        "writes it in that one",
        report.opset, model.source_opset, report.framework, report.version));
  }
  return report;
}

// The model with the plan applied, as ONNX, and what the target makes of that.
Status write_fixed(const std::string& path, const TargetOptions& options, TargetReport& report) {
  if (!options.fix.ends_with(".onnx")) {
    return usage_error("found --fix {}, expected a name that ends in .onnx", options.fix);
  }
  ConvertOptions convert_options;
  convert_options.to = fmt::format("{},hardware={},gelu-error={}", options.target, report.hardware,
                                   options.gelu_max_error);
  convert_options.shapes = options.shapes;
  convert_options.calibrate = options.data;
  EDGEWRIGHT_ASSIGN(const ConvertReport converted, convert(path, options.fix, convert_options));
  report.warnings.insert(report.warnings.end(), converted.warnings.begin(),
                         converted.warnings.end());
  if (!converted.written) {
    return check_failed("{} was not written: the result does not compute what the original does",
                        options.fix);
  }
  TargetOptions again = options;
  again.fix.clear();
  again.data.clear();
  again.shapes.clear();
  again.as_is = true;
  EDGEWRIGHT_ASSIGN(const TargetReport fixed, check_model(options.fix, again));
  report.fixed =
      FixedTargetModel{options.fix, fixed.counts, fixed.transitions, fixed.predicted_us, {}, 0};
  for (const Choice& choice : converted.choices) {
    report.fixed->changes.push_back(
        fmt::format("{}: {} ({})", choice.what, choice.chosen, choice.why));
  }
  if (converted.verification) {
    for (const ValueDifference& output : converted.verification->outputs) {
      report.fixed->relative_l2 = std::max(report.fixed->relative_l2, output.relative_l2);
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> target_names() { return framework_names(); }

Result<TargetReport> check_target(const std::string& path, const TargetOptions& options) {
  EDGEWRIGHT_ASSIGN(TargetReport report, check_model(path, options));
  if (!options.fix.empty()) EDGEWRIGHT_TRY(write_fixed(path, options, report));
  return report;
}

}  // namespace edgewright
