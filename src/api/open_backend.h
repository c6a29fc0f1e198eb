#pragma once

#include "edgewright/session.h"
#include "passes/pipeline.h"
#include "runtime/backend.h"

namespace edgewright {

// Optimises a model with our own inferer and evaluator.
Result<PipelineReport> optimise_model(Model& model, const PipelineOptions& options);

// The graph for concrete input shapes, ready for the plan compiler: optimised and lowered to the
// operators of the native engine.
Specialise plan_specialiser(bool optimise);

// Opens a model file, or a graph, in one of the backends.
Result<std::unique_ptr<BackendSession>> open_backend(const std::string& path,
                                                     const InferenceOptions& options);
Result<std::unique_ptr<BackendSession>> open_backend(std::unique_ptr<Graph> graph,
                                                     const InferenceOptions& options);

}  // namespace edgewright
