#include "edgewright/convert.h"

#include <algorithm>
#include <filesystem>

#include "api/destination.h"
#include "api/engine.h"
#include "api/export_formats.h"
#include "api/open_backend.h"
#include "api/precision.h"
#include "api/subjects.h"
#include "api/verify.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/schema_functions.h"
#include "formats/onnx/type_inference.h"
#include "graph/cost.h"
#include "graph/fix_shapes.h"
#include "runtime/plan_file.h"
#include "verify/inputs.h"

namespace edgewright {
namespace {

Result<std::unique_ptr<Subject>> subject_of(const Graph& graph, std::string_view backend) {
  InferenceOptions options;
  options.backend = backend;
  options.optimise = false;
  EDGEWRIGHT_ASSIGN(auto session, open_backend(clone(graph), options));
  return std::unique_ptr<Subject>(std::make_unique<BackendSubject>(std::move(session)));
}

// Where numbers are rounded to few bits, a value right between two steps may fall to either side
// after any rewrite, and the layers behind carry that on to all elements. In graphs that round
// already, transformers of 20 layers among them, that makes some per cent; a wrong rewrite makes
// the whole.
constexpr double kRelativeL2OfRounding = 0.15;
constexpr double kRelativeL2OfPrecision = 0.02;

bool rounds(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const Node& node) {
    return node.is("QuantizeLinear") || node.is("DynamicQuantizeLinear");
  });
}

// float16 or bfloat16 inside: a plan rounds in other places.
bool holds_low_float(const Graph& graph) {
  return std::ranges::any_of(graph.values(), [](const Value& value) {
    return value.type.dtype == DType::kFloat16 || value.type.dtype == DType::kBfloat16;
  });
}

// The outputs of one run, given back instead of running again.
class KeptOutputs : public Subject {
 public:
  KeptOutputs(std::vector<std::string> names, std::vector<Datum> outputs)
      : names_(std::move(names)), outputs_(std::move(outputs)) {}

  std::vector<std::string> output_names() const override { return names_; }
  Result<std::vector<Datum>> run(const std::vector<Datum>& /*inputs*/,
                                 const Observer& /*observer*/) override {
    return outputs_;
  }

 private:
  std::vector<std::string> names_;
  std::vector<Datum> outputs_;
};

// Whether two runs give the same, as far as anyone knows.
bool is_deterministic(const Graph& graph) {
  bool all = true;
  for_each_node(graph, [&](const Node& node) { all = all && is_deterministic(node); });
  return all;
}

// Compares any graph with the original on the same seeded inputs. The original runs once, on the
// reference kernels, so a mistake of the engine cannot hide one of a pass.
class OriginalCheck {
 public:
  // A model may not take the first seeded inputs (indices beyond a table, open dimensions that are
  // too small), so that others are tried before it is said to be incomparable.
  static Result<OriginalCheck> create(const Graph& original, const ConvertOptions& options) {
    std::optional<Error> first;
    for (const SeededSizes& sizes : kSeededSizes) {
      auto check = create_with(original, options, sizes);
      if (check.ok() || check.error().kind == ErrorKind::kUnsupported) return check;
      if (!first) first = check.error();
    }
    return *std::move(first);
  }

  // `backend` runs the graph on the same inputs.
  Result<VerifyReport> compare_with(const Graph& graph, std::string_view backend) {
    EDGEWRIGHT_ASSIGN(const auto candidate, subject_of(graph, backend));
    return compare_subject(*candidate);
  }

  Result<VerifyReport> compare_with(OpenedModel model) {
    BackendSubject candidate(std::move(model));
    return compare_subject(candidate);
  }
  // From now on the outputs may differ by so much.
  void allow(double relative_l2) {
    options_.relative_l2 = std::max(options_.relative_l2, relative_l2);
  }
  Status check(const Graph& graph) {
    EDGEWRIGHT_ASSIGN(const VerifyReport report, compare_with(graph, "reference"));
    if (report.passed) return {};
    for (const ValueDifference& output : report.outputs) {
      if (output.passed) continue;
      return check_failed("output '{}' differs: relative L2 {:.3g}, max abs {:.3g} {}", output.name,
                          output.relative_l2, output.max_abs, output.problem);
    }
    return check_failed("the outputs differ");
  }

 private:
  // Of open dimensions, and how many different integers there are.
  struct SeededSizes {
    int64_t symbol;
    uint64_t integers;
  };
  static constexpr SeededSizes kSeededSizes[] = {{1, 4}, {1, 1}, {4, 4}, {8, 2}, {2, 1}};

  static Result<OriginalCheck> create_with(const Graph& original, const ConvertOptions& options,
                                           const SeededSizes& sizes) {
    OriginalCheck check;
    if (options.precision != "fp32" || holds_low_float(original)) {
      check.options_.relative_l2 = kRelativeL2OfPrecision;
    }
    if (rounds(original)) check.options_.relative_l2 = kRelativeL2OfRounding;
    check.options_.layers = false;
    InputOptions inputs;
    inputs.seed = options.seed;
    inputs.symbol_size = sizes.symbol;
    inputs.integers = sizes.integers;
    inputs.shapes = options.shapes;
    EDGEWRIGHT_ASSIGN(auto all, make_inputs(original, inputs));
    std::vector<Datum>& sample = check.samples_.emplace_back();
    for (size_t i = 0; i < all.size(); ++i) {
      if (!original.inputs()[i]->is_constant()) sample.push_back(std::move(all[i]));
    }
    EDGEWRIGHT_ASSIGN(const auto subject, subject_of(original, "reference"));
    auto outputs = subject->run(check.samples_[0], nullptr);
    if (!outputs.ok()) return std::move(outputs).error().at("the original");
    check.original_ = std::make_unique<KeptOutputs>(subject->output_names(), *std::move(outputs));
    // A model that draws random numbers need not agree with itself; then nothing can be said.
    if (!is_deterministic(original)) EDGEWRIGHT_TRY(check.check(original));
    return check;
  }

  Result<VerifyReport> compare_subject(Subject& candidate) {
    const CompareOptions options = compare_options(options_);
    EDGEWRIGHT_ASSIGN(const Comparison comparison,
                      compare(*original_, candidate, samples_, options));
    VerifyReport report;
    add_comparison(comparison, options, report);
    return report;
  }

  VerifyOptions options_;
  std::vector<std::vector<Datum>> samples_;
  std::unique_ptr<Subject> original_;
};

PipelineOptions pipeline_options(const Model& model, const ConvertOptions& options,
                                 const Destination& destination) {
  const std::string_view target = destination.format;
  PipelineOptions result;
  result.pass.dialect = options.dialect == "ort" ? Dialect::kOrt : Dialect::kStandard;
  result.pass.lossy = options.lossy;
  result.pass.target_opset = options.opset > 0 ? options.opset : model.source_opset;
  if (options.precision != "fp32" || !options.quantize.empty()) {
    // Layers are pruned and quantised in the form of the standard; lowering comes afterwards.
    result.pass.dialect = Dialect::kStandard;
    if (target == "plan") result.pass.target_opset = kCanonicalOpset;
  } else if (target == "plan") {
    // Our own engine runs every operator of the canonical opset.
    result.pass.dialect = Dialect::kPlan;
    result.pass.target_opset = kCanonicalOpset;
  }
  if (const ExportFormat* format = find_export_format(target)) {
    result.pass.dialect = Dialect::kStandard;
    result.pass.target_opset = format->opset;
  }
  if (destination.planner) result.pass.target_opset = destination.fusing_opset;
  result.disabled = options.disabled;
  result.stop_after = options.stop_after;
  result.progress = options.progress;
  return result;
}

void add_passes(const PipelineReport& pipeline, ConvertReport& report) {
  for (const PassReport& pass : pipeline.passes) {
    report.passes.push_back({pass.name, pass.changed, pass.time_us, pass.verified, pass.faults});
    // Rewrites that broke the model are left out even where the rest of the pass stays.
    if (pass.dropped || !pass.faults.empty()) report.dropped_passes.push_back(pass.name);
  }
  report.warnings.insert(report.warnings.end(), pipeline.warnings.begin(), pipeline.warnings.end());
}

Status refuse_overwriting(const std::string& input, const std::string& output) {
  std::error_code error;
  if (std::filesystem::equivalent(input, output, error)) {
    return usage_error("{} is the input itself; choose another name for the output", output);
  }
  return {};
}

Result<Model> prepare(const std::string& input, const std::string& target,
                      const ConvertOptions& options, ConvertReport& report) {
  EDGEWRIGHT_ASSIGN(Model model, load_model(input, options.keep_initializer_inputs));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, options.shapes));
  EDGEWRIGHT_TRY(fix_inputs(*model.graph, options.fixes));
  const ExportFormat* format = find_export_format(target);
  if (format != nullptr && format->fixed_shapes) {
    EDGEWRIGHT_TRY(close_shapes(*model.graph, report.warnings));
  }
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  if (options.tensor_outputs) EDGEWRIGHT_TRY(take_tensor_outputs(*model.graph, report.warnings));
  return model;
}

// A model that the reference cannot run (an operator without a kernel, an input nobody can make) is
// converted all the same; the report says that it was not compared.
std::optional<OriginalCheck> make_check(const Graph& original, const ConvertOptions& options,
                                        ConvertReport& report) {
  if (!options.verify && !options.verify_each_pass) return std::nullopt;
  auto check = OriginalCheck::create(original, options);
  if (check.ok()) return *std::move(check);
  report.warnings.push_back("not compared with the original: " + check.error().message);
  return std::nullopt;
}

Result<PipelineReport> run_passes(Model& model, const ConvertOptions& options,
                                  const Destination& destination,
                                  std::optional<OriginalCheck>& check, bool each_pass) {
  PipelineOptions pipeline = pipeline_options(model, options, destination);
  if (check && each_pass) {
    pipeline.verify = [&](const Graph& graph) { return check->check(graph); };
  }
  return optimise_model(model, pipeline);
}

// Opens and casts what the plan for the target says. A GELU in another form than its own is taken
// back where the outputs change by more than a change of precision may.
Status apply_plan(Model& model, const Model& original, const Destination& destination,
                  int file_opset, std::optional<OriginalCheck>& check, ConvertReport& report) {
  const TargetPlanner& planner = *destination.planner;
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  EDGEWRIGHT_ASSIGN(GeluLimits gelu, planner.gelu_limits(*model.graph));
  const Model whole = clone(model);
  const std::set<std::string> operators = operators_of(*original.graph);
  std::vector<Choice> choices;
  EDGEWRIGHT_ASSIGN(const bool is_approximate,
                    planner.apply(model, operators, gelu, file_opset, choices));
  if (check) {
    if (is_approximate) check->allow(kRelativeL2OfPrecision);
    EDGEWRIGHT_ASSIGN(report.verification, check->compare_with(*model.graph, "reference"));
    if (!report.verification->passed && is_approximate) {
      report.warnings.emplace_back(
          "GELU stays exact: in the form that was planned the outputs change by more than 2 %");
      model = clone(whole);
      gelu.max_error = 0;
      choices.clear();
      EDGEWRIGHT_TRY(planner.apply(model, operators, gelu, file_opset, choices));
      EDGEWRIGHT_ASSIGN(report.verification, check->compare_with(*model.graph, "reference"));
    }
    report.passed = report.verification->passed;
  }
  report.choices.insert(report.choices.end(), choices.begin(), choices.end());
  return {};
}

// The passes; where one breaks the model they run again, and it is left out.
Result<PipelineReport> run_checked_passes(Model& model, const Model& original,
                                          const ConvertOptions& options,
                                          const Destination& destination,
                                          std::optional<OriginalCheck>& check,
                                          ConvertReport& report) {
  EDGEWRIGHT_ASSIGN(auto pipeline,
                    run_passes(model, options, destination, check, options.verify_each_pass));
  if (!check) return pipeline;
  EDGEWRIGHT_ASSIGN(report.verification, check->compare_with(*model.graph, "reference"));
  if (report.verification->passed || options.verify_each_pass) return pipeline;
  model = clone(original);
  EDGEWRIGHT_ASSIGN(pipeline, run_passes(model, options, destination, check, true));
  EDGEWRIGHT_ASSIGN(report.verification, check->compare_with(*model.graph, "reference"));
  report.warnings.emplace_back("a pass broke the model and was left out; see dropped_passes");
  return pipeline;
}

Status write_onnx(const Model& model, const std::string& output, const ConvertOptions& options) {
  ExportOptions export_options;
  if (options.opset > 0) export_options.opset = options.opset;
  export_options.onnx_runtime = options.dialect == "ort";
  return export_onnx(model, output, export_options);
}

InferenceOptions plan_options(const ConvertOptions& options) {
  InferenceOptions result;
  result.optimise = false;  // the passes have run
  result.threads = options.threads;
  result.tune = options.tune;
  result.timing_cache = options.timing_cache;
  return result;
}

// Makes the plan, compares it with the original (the plan runs from the file, as it will later) and
// removes it again when it does not compute the same.
Status write_checked_plan(const Model& model, const std::string& output,
                          const ConvertOptions& options, std::optional<OriginalCheck>& check,
                          ConvertReport& report) {
  EDGEWRIGHT_ASSIGN(const auto plan,
                    make_plan(*model.graph, plan_options(options), report.warnings));
  for (const PlanStep& step : plan->steps) {
    if (step.implementation == nullptr) continue;
    report.choices.push_back({step.name.empty() ? step.op : step.name,
                              std::string(step.implementation->name), "",
                              options.tune ? "measured" : "first that fits"});
  }
  const std::string candidate = output + ".unverified.ewplan";
  EDGEWRIGHT_TRY(write_plan(*plan, candidate));
  if (check) {
    InferenceOptions native;
    native.threads = options.threads;
    EDGEWRIGHT_ASSIGN(auto opened, open_backend(candidate, native));
    EDGEWRIGHT_ASSIGN(report.verification, check->compare_with(std::move(opened)));
    report.written = report.verification->passed;
    report.passed = report.passed && report.written;
  }
  std::error_code error;
  if (report.written) std::filesystem::rename(candidate, output, error);
  if (!report.written) std::filesystem::remove(candidate, error);
  return error ? Status(internal_error("cannot finish {}: {}", output, error.message())) : Status();
}

int64_t size_of(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    return static_cast<int64_t>(std::filesystem::file_size(path, error));
  }
  int64_t total = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error)) {
    if (entry.is_regular_file(error)) total += static_cast<int64_t>(entry.file_size(error));
  }
  return total;
}

// Compares what was written, read back, with the prepared graph.
Status check_written(const Graph& written, const ExportFormat& format, const std::string& path,
                     std::optional<OriginalCheck>& check, ConvertReport& report) {
  if (!check || format.read == nullptr) return {};
  EDGEWRIGHT_ASSIGN(const Model back, format.read(path));
  EDGEWRIGHT_TRY(take_interface_types(written, *back.graph));
  EDGEWRIGHT_ASSIGN(report.verification, check->compare_with(*back.graph, "reference"));
  report.written = report.verification->passed;
  report.passed = report.passed && report.written;
  return {};
}

// Writes for another runtime under a name of its own, and gives the files their names when they
// compute, read back, what they should.
Status write_checked_export(const Model& model, const std::string& output,
                            const ExportFormat& format, const Target* version,
                            const ConvertOptions& options, std::optional<OriginalCheck>& check,
                            ConvertReport& report) {
  Model prepared = clone(model);
  EDGEWRIGHT_TRY(decompose_for(prepared, format, report));
  report.nodes_after = static_cast<int64_t>(count_nodes(*prepared.graph));
  ExportSettings settings;
  settings.half_weights = options.precision == "fp16";
  settings.states = options.states;
  settings.opset = options.opset;
  settings.target = version;
  const std::string stem = output.ends_with(format.ending)
                               ? output.substr(0, output.size() - format.ending.size())
                               : output;
  const std::string candidate = fmt::format("{}.unverified{}", stem, format.ending);
  EDGEWRIGHT_ASSIGN(const auto files, format.write(prepared, candidate, settings));
  Status checked = check_written(*prepared.graph, format, candidate, check, report);
  std::error_code error;
  for (const std::string& file : files) {
    std::string name = stem + file.substr(stem.size() + std::string_view(".unverified").size());
    if (file == candidate) name = output;
    if (checked.ok() && report.written) {
      if (std::filesystem::is_directory(file)) std::filesystem::remove_all(name, error);
      std::filesystem::rename(file, name, error);
      if (error) return internal_error("cannot finish {}: {}", name, error.message());
      report.size_bytes += size_of(name);
    } else {
      std::filesystem::remove_all(file, error);
    }
  }
  return checked;
}

Status write_result(const Model& model, const std::string& output, const Destination& destination,
                    const ConvertOptions& options, std::optional<OriginalCheck>& check,
                    ConvertReport& report) {
  report.opset = options.opset > 0 ? options.opset : model.source_opset;
  if (const ExportFormat* format = find_export_format(destination.format)) {
    const Target* version = destination.planner ? &destination.planner->target() : nullptr;
    return write_checked_export(model, output, *format, version, options, check, report);
  }
  if (destination.format == "plan") {
    EDGEWRIGHT_TRY(write_checked_plan(model, output, options, check, report));
  } else {
    EDGEWRIGHT_TRY(write_onnx(model, output, options));
  }
  report.size_bytes = report.written ? size_of(output) : 0;
  return {};
}

// Other runtimes choose their own arithmetic: float16 is how the weights are stored there.
bool stores_half_weights(const std::string& target, const ConvertOptions& options) {
  return options.precision == "fp16" && find_export_format(target) != nullptr;
}

// The operators of a precision may need a younger opset than the input's.
Status choose_opset(const Model& original, ConvertOptions& options, ConvertReport& report) {
  const int least = least_opset(options);
  if (options.opset == 0 && original.source_opset < least) {
    options.opset = least;
    report.choices.push_back({"opset", fmt::format("{}", least),
                              fmt::format("{}", original.source_opset),
                              fmt::format("{} needs operators of it", options.precision)});
  }
  if (options.opset > 0 && options.opset < least) {
    return usage_error("--precision {} needs --opset {} or above, found {}", options.precision,
                       least, options.opset);
  }
  return {};
}

}  // namespace

Result<ConvertReport> convert(const std::string& input, const std::string& output,
                              const ConvertOptions& wanted) {
  EDGEWRIGHT_ASSIGN(Destination destination, destination_of(output, wanted));
  const std::string& target = destination.format;
  EDGEWRIGHT_TRY(refuse_overwriting(input, output));
  if (wanted.states && target != "openvino") {
    return usage_error("--mode states is for --to openvino, found {}", target);
  }
  ConvertReport report;
  ConvertOptions options = wanted;
  options.to = target;
  EDGEWRIGHT_ASSIGN(const Model original, prepare(input, target, options, report));
  if (destination.planner) {
    EDGEWRIGHT_TRY(choose_target_opset(original, destination, options, report));
  }
  const ExportFormat* format = find_export_format(target);
  const bool is_onnx_of_another = format != nullptr && format->ending == ".onnx";
  if (is_onnx_of_another && options.opset == 0) options.opset = format->opset;
  EDGEWRIGHT_TRY(choose_opset(original, options, report));
  Model model = clone(original);
  ConvertOptions exact = options;
  exact.precision = "fp32";
  auto check = make_check(*original.graph, exact, report);
  EDGEWRIGHT_ASSIGN(const auto pipeline,
                    run_checked_passes(model, original, options, destination, check, report));
  add_passes(pipeline, report);
  report.passed = !report.verification || report.verification->passed;
  if (report.passed && destination.planner) {
    const bool is_onnx = target == "onnx" || is_onnx_of_another;
    EDGEWRIGHT_TRY(apply_plan(model, original, destination,
                              is_onnx ? options.opset : kCanonicalOpset, check, report));
  }
  bool fit_to_write = report.passed;
  if (stores_half_weights(target, options)) {
    report.choices.push_back({"float16", "stored weights", "arithmetic",
                              "the runtime chooses the type that it computes in"});
    check = make_check(*model.graph, options, report);
  } else if (fit_to_write && (options.precision != "fp32" || !options.quantize.empty())) {
    EDGEWRIGHT_ASSIGN(report.passed, apply_precision(model, options, report));
    fit_to_write = report.passed || options.force;
    // The result must compute what the changed model does, not the original.
    if (target != "onnx") check = make_check(*model.graph, options, report);
  }
  report.nodes_before = static_cast<int64_t>(count_nodes(*original.graph));
  report.nodes_after = static_cast<int64_t>(count_nodes(*model.graph));
  report.written = fit_to_write;
  if (fit_to_write)
    EDGEWRIGHT_TRY(write_result(model, output, destination, options, check, report));
  return report;
}

std::vector<PassDescription> list_passes() {
  constexpr std::string_view kDialects[] = {"standard", "ort", "plan"};
  std::vector<PassDescription> passes;
  for (const Stage& stage : optimisation_stages()) {
    for (const Pass& pass : stage.passes) {
      passes.push_back({std::string(pass.name), std::string(pass.summary),
                        std::string(kDialects[static_cast<size_t>(pass.dialect)]), pass.lossy});
    }
  }
  return passes;
}

}  // namespace edgewright
