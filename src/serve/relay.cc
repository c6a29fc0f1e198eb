#include "serve/relay.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

class Relay : public ServedModel {
 public:
  Relay(std::unique_ptr<ServedModel> here, RelayPlan plan,
        std::function<Result<std::unique_ptr<InferenceClient>>()> connect)
      : here_(std::move(here)),
        plan_(std::move(plan)),
        connect_(std::move(connect)),
        random_(std::random_device{}()) {
    inputs_ = here_->inputs();
    inputs_.insert(inputs_.end(), plan_.passed.begin(), plan_.passed.end());
  }

  const std::vector<ServedPort>& inputs() const override { return inputs_; }
  const std::vector<ServedPort>& outputs() const override { return plan_.outputs; }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    std::map<std::string, Tensor> known;
    for (size_t i = 0; i < inputs.size(); ++i) known[inputs_[i].name] = inputs[i];
    EDGEWRIGHT_ASSIGN(const auto made, here_->run(inputs.first(here_->inputs().size())));
    for (size_t i = 0; i < made.size(); ++i) known[here_->outputs()[i].name] = made[i];
    EDGEWRIGHT_TRY(ask_next(known));
    std::vector<Tensor> outputs;
    outputs.reserve(plan_.outputs.size());
    for (const ServedPort& port : plan_.outputs) outputs.push_back(known.at(port.name));
    return outputs;
  }

  // Names of the plan that neither the part here nor its inputs have.
  std::vector<std::string> unknown_names() const {
    std::vector<std::string> unknown;
    for (const std::string& name : plan_.sends) {
      const auto is_port = [&name](const ServedPort& port) { return port.name == name; };
      if (!std::ranges::any_of(inputs_, is_port) &&
          !std::ranges::any_of(here_->outputs(), is_port)) {
        unknown.push_back(name);
      }
    }
    return unknown;
  }

 private:
  oip::InferRequest question(const std::map<std::string, Tensor>& known) const {
    oip::InferRequest request;
    request.model = plan_.next_model;
    for (const std::string& name : plan_.sends) {
      request.inputs.push_back({name, known.at(name), {}, true});
    }
    for (const ServedPort& port : plan_.outputs) {
      if (known.contains(port.name)) continue;
      oip::RequestedOutput& output = request.outputs.emplace_back();
      output.name = port.name;
      output.binary = true;
    }
    return request;
  }

  Status ask_next(std::map<std::string, Tensor>& known) {
    const oip::InferRequest request = question(known);
    if (request.outputs.empty()) return {};
    if (client_ == nullptr) {
      EDGEWRIGHT_ASSIGN(client_, connect_());
    }
    const auto deadline =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double, std::micro>(plan_.deadline_us));
    const RemoteAnswer answer = infer_with_retries(*client_, request, deadline, {}, random_);
    if (!answer.ok()) return check_failed("the next server: {}", answer.message);
    for (const auto& output : answer.response.outputs) known[output.name] = output.tensor;
    for (const auto& wanted : request.outputs) {
      if (known.contains(wanted.name)) continue;
      return check_failed("the next server's answer has no output '{}'", wanted.name);
    }
    return {};
  }

  std::unique_ptr<ServedModel> here_;
  RelayPlan plan_;
  std::function<Result<std::unique_ptr<InferenceClient>>()> connect_;
  std::unique_ptr<InferenceClient> client_;
  std::mt19937_64 random_;
  std::vector<ServedPort> inputs_;
};

}  // namespace

Result<std::unique_ptr<ServedModel>> relay_model(
    std::unique_ptr<ServedModel> here, RelayPlan plan,
    std::function<Result<std::unique_ptr<InferenceClient>>()> connect) {
  auto relay = std::make_unique<Relay>(std::move(here), std::move(plan), std::move(connect));
  const auto unknown = relay->unknown_names();
  if (!unknown.empty()) {
    return bad_input("the relay sends '{}' on, which its part of the model neither takes nor makes",
                     fmt::join(unknown, "', '"));
  }
  return std::unique_ptr<ServedModel>(std::move(relay));
}

}  // namespace edgewright
