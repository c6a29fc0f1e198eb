#include "api/open_backend.h"

#include <algorithm>

#include "api/engine.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "passes/lowering.h"

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
      EDGEWRIGHT_TRY(optimise_model(model, options));
    }
    Interpreter evaluator(function_expander());
    EDGEWRIGHT_TRY(lower(*model.graph, evaluator));
    return std::move(model.graph);
  };
}

Result<std::unique_ptr<BackendSession>> open_backend(std::unique_ptr<Graph> graph,
                                                     const InferenceOptions& options) {
  const Backend* backend = find_backend(options.backend);
  if (backend == nullptr) {
    std::vector<std::string_view> names;
    for (const Backend& known : backends()) names.push_back(known.name);
    return usage_error("found --backend {}, expected one of {}", options.backend,
                       fmt::join(names, ", "));
  }
  EDGEWRIGHT_TRY(fix_shapes(*graph, options.shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*graph));
  SessionOptions session;
  session.threads = options.threads;
  session.expander = function_expander();
  session.specialise = plan_specialiser(options.optimise);
  return backend->open(std::move(graph), session);
}

Result<std::unique_ptr<BackendSession>> open_backend(const std::string& path,
                                                     const InferenceOptions& options) {
  EDGEWRIGHT_ASSIGN(Model model, load_model(path));
  return open_backend(std::move(model.graph), options);
}

}  // namespace edgewright
