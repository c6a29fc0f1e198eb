#include "runtime/backend.h"

#include <chrono>

namespace edgewright {
namespace {

class NativeSession : public BackendSession {
 public:
  explicit NativeSession(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  const std::vector<Session::Port>& inputs() const override { return session_->inputs(); }
  const std::vector<Session::Port>& outputs() const override { return session_->outputs(); }
  const SessionFigures& figures() const override { return session_->figures(); }

  Result<std::vector<Datum>> run(std::span<const Datum> inputs,
                                 const ValueObserver& observer) override {
    if (!observer) return session_->run(inputs);
    RunHooks hooks;
    hooks.on_value = [&](const PlanValue& value, const Datum& datum) {
      observer(value.name, datum);
    };
    return session_->run(inputs, &hooks);
  }

 private:
  std::unique_ptr<Session> session_;
};

class ReferenceSession : public BackendSession {
 public:
  ReferenceSession(std::unique_ptr<Graph> graph, const FunctionExpander& expander)
      : graph_(std::move(graph)), interpreter_(expander) {
    for (const Value* input : graph_->inputs()) {
      if (!input->is_constant()) inputs_.push_back({input->name, input->type});
    }
    for (const Value* output : graph_->outputs()) outputs_.push_back({output->name, output->type});
  }

  const std::vector<Session::Port>& inputs() const override { return inputs_; }
  const std::vector<Session::Port>& outputs() const override { return outputs_; }
  const SessionFigures& figures() const override { return figures_; }

  Result<std::vector<Datum>> run(std::span<const Datum> inputs,
                                 const ValueObserver& observer) override {
    if (inputs.size() != inputs_.size()) {
      return bad_input("the model takes {} inputs, {} were given", inputs_.size(), inputs.size());
    }
    std::vector<Datum> all;
    size_t next = 0;
    for (const Value* input : graph_->inputs()) {
      all.push_back(input->is_constant() ? Datum() : inputs[next++]);
    }
    Interpreter::Observer inner;
    if (observer) {
      inner = [&](const Value& value, const Datum& datum) { observer(value.name, datum); };
    }
    const auto start = std::chrono::steady_clock::now();
    auto outputs = interpreter_.run(*graph_, all, inner);
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    if (figures_.first_inference_us == 0) figures_.first_inference_us = time.count();
    return outputs;
  }

 private:
  std::unique_ptr<Graph> graph_;
  Interpreter interpreter_;
  std::vector<Session::Port> inputs_, outputs_;
  SessionFigures figures_;
};

Result<std::unique_ptr<BackendSession>> open_native(std::unique_ptr<Graph> graph,
                                                    const SessionOptions& options) {
  EDGEWRIGHT_ASSIGN(auto session, Session::open(std::move(graph), options));
  return std::unique_ptr<BackendSession>(std::make_unique<NativeSession>(std::move(session)));
}

Result<std::unique_ptr<BackendSession>> open_reference(std::unique_ptr<Graph> graph,
                                                       const SessionOptions& options) {
  return std::unique_ptr<BackendSession>(
      std::make_unique<ReferenceSession>(std::move(graph), options.expander));
}

constexpr Backend kBackends[] = {
    {"native", "plans with tuned kernels", open_native},
    {"reference", "plain loops, node by node: the specification", open_reference},
};

}  // namespace

Result<std::unique_ptr<BackendSession>> open_plan(std::shared_ptr<const Plan> plan,
                                                  const SessionOptions& options) {
  EDGEWRIGHT_ASSIGN(auto session, Session::open(std::move(plan), options));
  return std::unique_ptr<BackendSession>(std::make_unique<NativeSession>(std::move(session)));
}

std::span<const Backend> backends() { return kBackends; }

const Backend* find_backend(std::string_view name) {
  for (const Backend& backend : kBackends) {
    if (backend.name == name) return &backend;
  }
  return nullptr;
}

}  // namespace edgewright
