#pragma once

#include <optional>

#include "edgewright/session.h"
#include "passes/pipeline.h"
#include "runtime/autotune.h"
#include "runtime/backend.h"
#include "runtime/timing_cache.h"

namespace edgewright {

// Optimises a model with our own inferer and evaluator.
Result<PipelineReport> optimise_model(Model& model, const PipelineOptions& options);

// The graph for concrete input shapes, ready for the plan compiler: optimised and lowered to the
// operators of the native engine.
Specialise plan_specialiser(bool optimise);

// A model opened in a backend, with the tuner that its later plans ask.
struct OpenedModel {
  std::unique_ptr<TimingCache> timings;
  std::unique_ptr<Autotuner> tuner;
  std::unique_ptr<BackendSession> session;
  std::optional<MixReport> mix;  // of the backend "mixed"

  BackendSession* operator->() const { return session.get(); }
};

// Opens a model file (ONNX, text, .ewplan), or a graph, in one of the backends.
Result<OpenedModel> open_backend(const std::string& path, const InferenceOptions& options);
Result<OpenedModel> open_backend(std::unique_ptr<Graph> graph, const InferenceOptions& options);

// A model opened in the native engine itself, for those who look at its plan and steps. A graph
// whose shapes are all fixed is specialised here as well.
struct OpenedSession {
  std::unique_ptr<TimingCache> timings;
  std::unique_ptr<Autotuner> tuner;
  std::unique_ptr<Session> session;
};
Result<OpenedSession> open_session(const std::string& path, const InferenceOptions& options);

// The plan of an optimised graph. Every input must have a fixed shape by now: dimensions that are
// still open become 1, with a warning.
Result<std::shared_ptr<const Plan>> make_plan(const Graph& graph, const InferenceOptions& options,
                                              std::vector<std::string>& warnings);

}  // namespace edgewright
