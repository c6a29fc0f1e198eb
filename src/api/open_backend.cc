#include "api/open_backend.h"

#include <algorithm>

#include "api/engine.h"
#include "api/export_formats.h"
#include "api/mixed/open_mixed.h"
#include "api/openvino_backend.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "passes/lowering.h"
#include "runtime/plan_file.h"

namespace edgewright {
namespace {

Status set_input_shapes(Graph& graph, std::span<const Dims> shapes) {
  std::map<std::string, Dims> by_name;
  size_t next = 0;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    EDGEWRIGHT_CHECK(next < shapes.size());
    if (input->type.is_tensor()) by_name[input->name] = shapes[next];
    ++next;
  }
  return fix_shapes(graph, by_name);
}

// The shapes of the inputs that are no constants, when all of them are known.
std::optional<std::vector<Dims>> fixed_shapes(const Graph& graph) {
  std::vector<Dims> shapes;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    if (!input->type.is_tensor() || !input->type.shape) return std::nullopt;
    auto dims = known_dims(*input->type.shape);
    if (!dims) return std::nullopt;
    shapes.push_back(*std::move(dims));
  }
  return shapes;
}

// The lowering passes run once and in order.
Status lower(Graph& graph, Evaluator& evaluator) {
  PassContext context{onnx_type_inferer(), evaluator, {}};
  context.options.dialect = Dialect::kPlan;
  for (const Pass& pass : lowering_passes()) {
    auto changed = pass.run(graph, context);
    if (!changed.ok()) return std::move(changed).error().at(pass.name);
    if (!*changed) continue;
    graph.remove_dead();
    EDGEWRIGHT_TRY(onnx_type_inferer().infer(graph));
  }
  return {};
}

OpenedModel with_tuner(const InferenceOptions& options) {
  OpenedModel opened;
  opened.timings = std::make_unique<TimingCache>(options.tune ? options.timing_cache : "");
  opened.tuner = std::make_unique<Autotuner>(*opened.timings);
  return opened;
}

SessionOptions session_options(const InferenceOptions& options, Autotuner* tuner) {
  SessionOptions session;
  session.threads = options.threads;
  session.expander = function_expander();
  session.specialise = plan_specialiser(options.optimise);
  session.chooser = options.tune ? tuner : nullptr;
  return session;
}

// A session specialises graphs whose shapes are open, once it sees the shapes; one whose shapes are
// all fixed is specialised before.
Result<std::unique_ptr<Graph>> specialise_fixed(std::unique_ptr<Graph> graph,
                                                const SessionOptions& session) {
  const auto shapes = fixed_shapes(*graph);
  if (!shapes || !session.specialise) return graph;
  return session.specialise(*graph, *shapes);
}

}  // namespace

Result<PipelineReport> optimise_model(Model& model, const PipelineOptions& options) {
  Interpreter evaluator(function_expander());
  return optimise(model, options, onnx_type_inferer(), evaluator);
}

Specialise plan_specialiser(bool optimise) {
  return [optimise](const Graph& graph,
                    std::span<const Dims> shapes) -> Result<std::unique_ptr<Graph>> {
    Model model;
    model.graph = clone(graph);
    EDGEWRIGHT_TRY(set_input_shapes(*model.graph, shapes));
    EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
    if (optimise) {
      PipelineOptions options;
      options.pass.dialect = Dialect::kPlan;
      EDGEWRIGHT_TRY(optimise_model(model, options));
    }
    Interpreter evaluator(function_expander());
    EDGEWRIGHT_TRY(lower(*model.graph, evaluator));
    return std::move(model.graph);
  };
}

namespace {

// The whole model in OpenVINO: optimised by our passes, written by our writer.
Result<OpenedModel> open_whole_in_openvino(std::unique_ptr<Graph> graph,
                                           const InferenceOptions& options) {
  EDGEWRIGHT_ASSIGN(const auto library, openvino_library(options.openvino_library));
  std::vector<std::string> warnings;
  EDGEWRIGHT_TRY(close_shapes(*graph, warnings));
  Model model;
  model.graph = std::move(graph);
  EDGEWRIGHT_TRY(prepare_for_openvino(model, options.optimise));
  OpenedModel opened;
  EDGEWRIGHT_ASSIGN(opened.session, open_in_openvino(*model.graph, library, options.threads));
  return opened;
}

// Backends beside those of the runtime itself.
struct OtherBackend {
  std::string_view name;
  Result<OpenedModel> (*open)(std::unique_ptr<Graph> graph, const InferenceOptions& options);
};
constexpr OtherBackend kOtherBackends[] = {
    {"openvino", open_whole_in_openvino},
    {"mixed", open_mixed},
};

}  // namespace

Result<OpenedModel> open_backend(std::unique_ptr<Graph> graph, const InferenceOptions& options) {
  for (const OtherBackend& other : kOtherBackends) {
    const bool is_wanted_mix = other.name == "mixed" && options.backend.starts_with(kMixedPrefix);
    if (other.name != options.backend && !is_wanted_mix) continue;
    EDGEWRIGHT_TRY(fix_shapes(*graph, options.shapes));
    return other.open(std::move(graph), options);
  }
  const Backend* backend = find_backend(options.backend);
  if (backend == nullptr) {
    std::vector<std::string_view> names;
    for (const Backend& known : backends()) names.push_back(known.name);
    for (const OtherBackend& known : kOtherBackends) names.push_back(known.name);
    return usage_error("found --backend {}, expected one of {}", options.backend,
                       fmt::join(names, ", "));
  }
  EDGEWRIGHT_TRY(fix_shapes(*graph, options.shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*graph));
  OpenedModel opened = with_tuner(options);
  SessionOptions session = session_options(options, opened.tuner.get());
  if (options.backend == "native") {
    EDGEWRIGHT_ASSIGN(graph, specialise_fixed(std::move(graph), session));
  }
  EDGEWRIGHT_ASSIGN(opened.session, backend->open(std::move(graph), session));
  EDGEWRIGHT_TRY(opened.timings->save());
  return opened;
}

Result<OpenedModel> open_backend(const std::string& path, const InferenceOptions& options) {
  if (!path.ends_with(".ewplan")) {
    EDGEWRIGHT_ASSIGN(Model model, load_model(path));
    return open_backend(std::move(model.graph), options);
  }
  if (options.backend != "native") {
    return usage_error("{} is a plan of the native backend; --backend {} cannot run it", path,
                       options.backend);
  }
  EDGEWRIGHT_ASSIGN(auto plan, read_plan(path));
  OpenedModel opened;
  SessionOptions session;
  session.threads = options.threads;
  EDGEWRIGHT_ASSIGN(opened.session, open_plan(std::move(plan), session));
  return opened;
}

Result<OpenedSession> open_session(const std::string& path, const InferenceOptions& options) {
  OpenedSession opened;
  SessionOptions session;
  if (path.ends_with(".ewplan")) {
    session.threads = options.threads;
    EDGEWRIGHT_ASSIGN(auto plan, read_plan(path));
    EDGEWRIGHT_ASSIGN(opened.session, Session::open(std::move(plan), session));
    return opened;
  }
  EDGEWRIGHT_ASSIGN(Model model, load_model(path));
  std::unique_ptr<Graph> graph = std::move(model.graph);
  EDGEWRIGHT_TRY(fix_shapes(*graph, options.shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*graph));
  OpenedModel tuning = with_tuner(options);
  opened.timings = std::move(tuning.timings);
  opened.tuner = std::move(tuning.tuner);
  session = session_options(options, opened.tuner.get());
  EDGEWRIGHT_ASSIGN(graph, specialise_fixed(std::move(graph), session));
  EDGEWRIGHT_ASSIGN(opened.session, Session::open(std::move(graph), session));
  EDGEWRIGHT_TRY(opened.timings->save());
  return opened;
}

Result<std::shared_ptr<const Plan>> make_plan(const Graph& graph, const InferenceOptions& options,
                                              std::vector<std::string>& warnings) {
  std::vector<Dims> shapes;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    Dims& dims = shapes.emplace_back();
    if (!input->type.shape) continue;
    for (const Dim& dim : *input->type.shape) dims.push_back(dim.is_known() ? dim.value : 1);
    if (!known_dims(*input->type.shape)) {
      warnings.push_back(fmt::format("input '{}' has shape {}; the plan is for {} (see --shape)",
                                     input->name, shape_text(*input->type.shape), dims_text(dims)));
    }
  }
  OpenedModel opened = with_tuner(options);
  const SessionOptions session = session_options(options, opened.tuner.get());
  EDGEWRIGHT_ASSIGN(auto special, session.specialise(graph, shapes));
  CompileOptions compile_options;
  compile_options.threads = options.threads;
  compile_options.chooser = session.chooser;
  compile_options.expander = session.expander;
  EDGEWRIGHT_ASSIGN(auto plan, compile(*special, compile_options));
  EDGEWRIGHT_TRY(opened.timings->save());
  return plan;
}

}  // namespace edgewright
