#include "serve/service/service.h"

#include <thread>

#include "serve/service/text_request.h"

namespace edgewright {
namespace {

constexpr auto kDrainStep = std::chrono::milliseconds(5);

// The deadline by what the model's configuration and the request's parameter `timeout` say; in
// microseconds, as the scheduling policies of the protocol's extension count it.
Caller with_timeout(const oip::InferRequest& request, const ServingConfig& config, Caller caller) {
  int64_t timeout_us = config.default_timeout_us;
  const auto found = request.parameters.find("timeout");
  if (found != request.parameters.end() && (timeout_us == 0 || config.timeout_override)) {
    const int64_t* asked_us = std::get_if<int64_t>(&found->second);
    if (asked_us != nullptr && *asked_us > 0) timeout_us = *asked_us;
  }
  if (timeout_us <= 0) return caller;
  const auto most = std::min<int64_t>(timeout_us, int64_t{1} << 40);
  caller.deadline = std::min(caller.deadline, ServeClock::now() + std::chrono::microseconds(most));
  return caller;
}

// Parameters that would change the answer if they were followed.
Reply<bool> check_parameters(const oip::Parameters& parameters) {
  for (const char* name : {"sequence_id", "sequence_start", "sequence_end"}) {
    const auto found = parameters.find(name);
    if (found == parameters.end() || found->second == oip::Parameter(int64_t{0}) ||
        found->second == oip::Parameter(false)) {
      continue;
    }
    return Refusal{RefusalKind::kUnsupported,
                   fmt::format("'{}': sequences are not supported", name)};
  }
  return true;
}

std::string routing_key(const oip::InferRequest& request, const Caller& caller) {
  if (!caller.routing_key.empty()) return caller.routing_key;
  const auto found = request.parameters.find("routing_key");
  const std::string* key =
      found == request.parameters.end() ? nullptr : std::get_if<std::string>(&found->second);
  return key == nullptr ? caller.client : *key;
}

// Whether the answer is to say what it cost.
bool wants_energy(const oip::InferRequest& request) {
  const auto found = request.parameters.find("energy");
  return found != request.parameters.end() && found->second == oip::Parameter(true);
}

// Joules with the window, the method, the sampling rate and the thermal state they hold for.
void add_energy(const RequestEnergy& energy, const MeterState& meter, oip::Parameters& parameters) {
  if (!energy.measured) {
    parameters["energy_method"] = meter.method.empty() ? "not measured" : meter.method;
    return;
  }
  parameters["energy_mj"] = energy.energy_j * 1e3;
  parameters["energy_window_s"] = energy.window_s;
  parameters["energy_readings_per_s"] =
      energy.window_s > 0 ? static_cast<double>(energy.readings) / energy.window_s : 0.0;
  parameters["energy_method"] = std::string(kEnergyShareMethod) + meter.method;
  if (meter.hottest_c > 0) parameters["energy_hottest_c"] = meter.hottest_c;
}

double since_ms(ServeClock::time_point start) {
  return std::chrono::duration<double, std::milli>(ServeClock::now() - start).count();
}

}  // namespace

// Counts a request from its arrival to its answer, and what became of it.
class Service::UnderWay {
 public:
  explicit UnderWay(Service& service) : service_(service) { ++service_.under_way_; }
  ~UnderWay() {
    ++(answered_ ? service_.answered_ : service_.refused_);
    --service_.under_way_;
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  void answered() { answered_ = true; }

 private:
  Service& service_;
  bool answered_ = false;
};

Service::Service(ServiceOptions options, ModelOpener opener)
    : options_(std::move(options)),
      catalogue_(options_.repository, std::move(opener), options_.versions),
      clients_(options_.tokens, options_.limits),
      desk_(std::make_unique<RolloutDesk>(catalogue_, options_.on_event)) {}

Result<std::unique_ptr<Service>> Service::open(ServiceOptions options, ModelOpener opener) {
  std::unique_ptr<Service> service(new Service(std::move(options), std::move(opener)));
  EDGEWRIGHT_TRY(service->catalogue_.load_all());
  return service;
}

Reply<oip::InferResponse> Service::infer(oip::InferRequest request, const Caller& caller) {
  std::optional<oip::InferResponse> whole;
  Reply<bool> done = answer(std::move(request), caller, false, [&](oip::InferResponse response) {
    whole = std::move(response);
    return true;
  });
  if (!done.ok()) return std::move(done).refusal();
  EDGEWRIGHT_CHECK(whole.has_value());
  return *std::move(whole);
}

Reply<bool> Service::infer_stream(oip::InferRequest request, const Caller& caller,
                                  const SendResponse& send) {
  return answer(std::move(request), caller, true, send);
}

Reply<bool> Service::answer(oip::InferRequest request, const Caller& asking, bool in_pieces,
                            const SendResponse& send) {
  UnderWay under_way(*this);
  if (draining_) return Refusal{RefusalKind::kUnavailable, "the server shuts down"};
  Reply<Clients::Ticket> ticket = clients_.admit(asking.client);
  if (!ticket.ok()) return std::move(ticket).refusal();
  if (Reply<bool> sound = check_parameters(request.parameters); !sound.ok()) return sound;
  Reply<std::shared_ptr<ModelVersion>> version = catalogue_.find(request.model, request.version);
  if (!version.ok()) return std::move(version).refusal();
  const Caller caller = with_timeout(request, (*version)->config(), asking);
  Reply<bool> done = true;
  if ((*version)->text() != nullptr) {
    done = infer_text(request, **version, caller, in_pieces, send);
  } else {
    Reply<oip::InferResponse> response = infer_tensors(request, *std::move(version), caller);
    if (!response.ok()) return std::move(response).refusal();
    send(*std::move(response));
  }
  if (done.ok()) under_way.answered();
  return done;
}

Reply<oip::InferResponse> Service::infer_tensors(oip::InferRequest& request,
                                                 std::shared_ptr<ModelVersion> version,
                                                 const Caller& caller) {
  const bool is_routed = request.version.empty();
  RolloutDesk::Route route{std::move(version), false, false};
  if (is_routed) {
    route = desk_->route(request.model, std::move(route.version), routing_key(request, caller));
  }
  Reply<std::vector<Tensor>> inputs = route.version->inputs_of(request);
  if (!inputs.ok()) return std::move(inputs).refusal();
  const auto start = ServeClock::now();
  const std::vector<Tensor> copy = route.wants_copy ? *inputs : std::vector<Tensor>();
  const bool metered = wants_energy(request);
  RequestEnergy energy;
  Reply<std::vector<Tensor>> outputs =
      route.version->run({*std::move(inputs), caller.deadline, metered}, &energy);
  if (is_routed) {
    desk_->saw_answer(request.model, route, !outputs.ok(), since_ms(start), copy,
                      route.wants_copy && outputs.ok() ? *outputs : std::vector<Tensor>());
  }
  if (!outputs.ok()) return std::move(outputs).refusal();
  Reply<oip::InferResponse> response = route.version->response(request, *outputs);
  if (response.ok() && metered) add_energy(energy, meter(), response->parameters);
  return response;
}

Reply<bool> Service::infer_text(const oip::InferRequest& request, const ModelVersion& version,
                                const Caller& caller, bool in_pieces, const SendResponse& send) {
  Reply<TextOrder> order = text_order(request);
  if (!order.ok()) return std::move(order).refusal();
  TextService& text = *version.text();
  Reply<std::vector<int>> tokens = text.prompt_tokens(order->prompt);
  if (!tokens.ok()) return std::move(tokens).refusal();
  order->request.prompt = *std::move(tokens);
  Reply<std::unique_ptr<TextAnswer>> answer = text.submit(std::move(order->request));
  if (!answer.ok()) return std::move(answer).refusal();
  const auto respond = [&](std::string content, oip::Parameters parameters = {}) {
    oip::InferResponse response{
        version.name(), std::to_string(version.number()), request.id, std::move(parameters), {}};
    response.outputs.push_back(
        {"text_output", Tensor::strings({1}, {std::move(content)}), {}, request.binary_outputs});
    return send(std::move(response));
  };
  const bool pieces = in_pieces && order->stream;
  while (true) {
    Reply<TextAnswer::Piece> piece = (*answer)->next(caller.deadline);
    if (!piece.ok()) return std::move(piece).refusal();
    if (!piece->is_last) {
      if (pieces && !respond(std::move(piece->text))) return true;
      continue;
    }
    if (!pieces) {
      const RequestEnergy& energy = piece->result.energy;
      oip::Parameters parameters;
      if (energy.measured || wants_energy(request)) add_energy(energy, meter(), parameters);
      respond(std::move(piece->result.text), std::move(parameters));
    }
    return true;
  }
}

Reply<oip::ModelMetadata> Service::metadata(const std::string& model,
                                            const std::string& version) const {
  Reply<std::shared_ptr<ModelVersion>> found = catalogue_.find(model, version);
  if (!found.ok()) return std::move(found).refusal();
  oip::ModelMetadata metadata = (*found)->metadata();
  metadata.versions = catalogue_.versions(model);
  return metadata;
}

Reply<std::shared_ptr<ModelVersion>> Service::find(const std::string& model,
                                                   const std::string& version) const {
  return catalogue_.find(model, version);
}

Reply<bool> Service::check_control() const {
  if (options_.model_control) return true;
  return Refusal{RefusalKind::kForbidden,
                 "models are not controlled over the network; start with --model-control"};
}

Reply<bool> Service::load(const std::string& model) {
  if (Reply<bool> allowed = check_control(); !allowed.ok()) return allowed;
  Status loaded = catalogue_.load(model);
  if (!loaded.ok()) return std::move(loaded).error();
  return true;
}

Reply<bool> Service::unload(const std::string& model) {
  if (Reply<bool> allowed = check_control(); !allowed.ok()) return allowed;
  return catalogue_.unload(model);
}

Reply<bool> Service::begin_rollout(const std::string& model, std::string_view text) {
  if (Reply<bool> allowed = check_control(); !allowed.ok()) return allowed;
  Reply<RolloutOrder> order = decode_rollout_order(text);
  if (!order.ok()) return std::move(order).refusal();
  return desk_->begin_rollout(model, *order);
}

Reply<bool> Service::stop_rollout(const std::string& model, const std::string& reason) {
  if (Reply<bool> allowed = check_control(); !allowed.ok()) return allowed;
  return desk_->stop_rollout(model, reason);
}

Reply<Service::Completion> Service::complete(CompletionRequest request, const Caller& caller) {
  UnderWay under_way(*this);
  if (draining_) return Refusal{RefusalKind::kUnavailable, "the server shuts down"};
  Reply<Clients::Ticket> ticket = clients_.admit(caller.client);
  if (!ticket.ok()) return std::move(ticket).refusal();
  Reply<std::shared_ptr<ModelVersion>> version = catalogue_.find(request.model, "");
  if (!version.ok()) return std::move(version).refusal();
  TextService* const text = (*version)->text();
  if (text == nullptr) {
    return Refusal{RefusalKind::kMalformed,
                   fmt::format("'{}' is no language model", request.model)};
  }
  Reply<std::vector<int>> tokens = request.is_chat ? text->chat_tokens(request.messages)
                                   : request.prompt_tokens.empty()
                                       ? text->prompt_tokens(request.prompt)
                                       : Reply<std::vector<int>>(request.prompt_tokens);
  if (!tokens.ok()) return std::move(tokens).refusal();
  Completion completion;
  completion.start = ServeClock::now();
  completion.prompt_tokens = static_cast<int>(tokens->size());
  completion.head = {fmt::format("{}-{}", request.is_chat ? "chatcmpl" : "cmpl", next_id_++),
                     request.model,
                     std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count(),
                     request.is_chat};
  if (request.is_chat) {
    for (std::string& stop : text->chat_stops()) request.text.stop_strings.push_back(stop);
    if (!request.has_max_tokens) request.text.max_tokens = text->context();
  }
  completion.tells_likelihoods = request.text.log_probabilities;
  if (request.echo) {
    completion.echoed_tokens = *tokens;
    completion.echoed_text =
        request.prompt_tokens.empty() ? request.prompt : text->text_of(*tokens);
  }
  request.text.prompt = *std::move(tokens);
  Reply<std::unique_ptr<TextAnswer>> answer = text->submit(std::move(request.text));
  if (!answer.ok()) return std::move(answer).refusal();
  completion.version = *std::move(version);
  completion.answer = *std::move(answer);
  completion.ticket = std::make_unique<Clients::Ticket>(*std::move(ticket));
  under_way.answered();
  return completion;
}

bool Service::drain(std::chrono::milliseconds time) {
  draining_ = true;
  const auto until = ServeClock::now() + time;
  const auto busy = [this] {
    if (under_way_ > 0) return true;
    for (const auto& version : catalogue_.all()) {
      if (version->waiting() > 0) return true;
    }
    return false;
  };
  while (busy()) {
    if (ServeClock::now() >= until) return false;
    std::this_thread::sleep_for(kDrainStep);
  }
  return true;
}

}  // namespace edgewright
