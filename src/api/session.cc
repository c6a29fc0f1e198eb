#include "edgewright/session.h"

#include <algorithm>

#include "api/engine.h"
#include "api/open_backend.h"
#include "tensor/custom_operator.h"

namespace edgewright {

struct InferenceSession::State {
  OpenedModel backend;
  std::vector<InterfaceValue> inputs, outputs;
  std::vector<std::string> warnings;
};

namespace {

std::vector<InterfaceValue> describe(const std::vector<Session::Port>& ports) {
  std::vector<InterfaceValue> values;
  values.reserve(ports.size());
  for (const auto& port : ports) values.push_back(interface_of(port.name, port.type));
  return values;
}

void flatten(const std::string& name, const Datum& datum, TensorMap& outputs) {
  if (datum.is_tensor()) outputs[name] = datum.tensor();
  if (datum.is_map()) {
    outputs[name + ".keys"] = datum.map_keys();
    outputs[name + ".values"] = datum.map_values();
  }
  if (!datum.is_sequence()) return;
  for (size_t i = 0; i < datum.elements().size(); ++i) {
    flatten(fmt::format("{}.{}", name, i), datum.elements()[i], outputs);
  }
}

}  // namespace

Status load_operators(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) EDGEWRIGHT_TRY(load_custom_operators(path));
  return {};
}

InferenceSession::InferenceSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
InferenceSession::~InferenceSession() = default;
InferenceSession::InferenceSession(InferenceSession&&) noexcept = default;
InferenceSession& InferenceSession::operator=(InferenceSession&&) noexcept = default;

Result<InferenceSession> InferenceSession::open(const std::string& path,
                                                const InferenceOptions& options) {
  auto state = std::make_unique<State>();
  EDGEWRIGHT_ASSIGN(state->backend, open_backend(path, options));
  state->inputs = describe(state->backend->inputs());
  state->outputs = describe(state->backend->outputs());
  return InferenceSession(std::move(state));
}

const std::vector<InterfaceValue>& InferenceSession::inputs() const { return state_->inputs; }
const std::vector<InterfaceValue>& InferenceSession::outputs() const { return state_->outputs; }
const std::vector<std::string>& InferenceSession::warnings() const { return state_->warnings; }

int64_t InferenceSession::arena_bytes() const {
  return static_cast<int64_t>(state_->backend->figures().arena_bytes);
}
int64_t InferenceSession::live_set_bytes() const {
  return static_cast<int64_t>(state_->backend->figures().live_set_bytes);
}

Result<TensorMap> InferenceSession::run(const TensorMap& inputs) {
  std::vector<Datum> data;
  for (const auto& port : state_->backend->inputs()) {
    const auto it = inputs.find(port.name);
    if (it == inputs.end())
      return usage_error("input '{}' is missing; give it with --input", port.name);
    data.emplace_back(it->second);
  }
  if (inputs.size() != data.size()) {
    for (const auto& [name, tensor] : inputs) {
      const auto is_it = [&](const auto& port) { return port.name == name; };
      if (!std::ranges::any_of(state_->backend->inputs(), is_it)) {
        return usage_error("'{}' is no input of the model", name);
      }
    }
  }
  EDGEWRIGHT_ASSIGN(const auto results, state_->backend->run(data));
  TensorMap outputs;
  for (size_t i = 0; i < results.size(); ++i) {
    flatten(state_->outputs[i].name, results[i], outputs);
  }
  return outputs;
}

}  // namespace edgewright
