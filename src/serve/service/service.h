#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/language/openai.h"
#include "serve/service/catalogue.h"
#include "serve/service/client_limits.h"
#include "serve/service/rollout_desk.h"

namespace edgewright {

// The machine's energy since the start, how it is measured, and the hottest zone (0: not known).
struct MeterState {
  std::optional<double> energy_j;
  std::string method;
  double hottest_c = 0;
};

struct ServiceOptions {
  std::string repository;
  VersionOptions versions;
  ClientLimitOptions limits;
  std::map<std::string, std::string> tokens;  // as Clients takes them
  int64_t deadline_us = 60'000'000;           // of requests that ask for none
  bool model_control = false;                 // loading, unloading and rollouts over the network
  std::function<void(const std::string&)> on_event;
  // What the machine's meter says now; empty, or without joules, where there is none.
  std::function<MeterState()> meter;
};

// What the server does, whatever the transport. Thread-safe.
class Service {
 public:
  static Result<std::unique_ptr<Service>> open(ServiceOptions options, ModelOpener opener);

  // Who may ask; every address but those of health goes through it.
  Reply<std::string> identify(std::string_view authorization, const std::string& address) const {
    return clients_.identify(authorization, address);
  }
  // The time by which a request that names none has to be answered.
  ServeClock::time_point default_deadline() const {
    return ServeClock::now() + std::chrono::microseconds(options_.deadline_us);
  }

  bool is_ready() const { return !draining_; }
  MeterState meter() const { return options_.meter ? options_.meter() : MeterState{}; }
  using SendResponse = std::function<bool(oip::InferResponse)>;
  Reply<oip::InferResponse> infer(oip::InferRequest request, const Caller& caller);
  // The same, in pieces where the model makes them; `send` returns false when nobody wants more.
  Reply<bool> infer_stream(oip::InferRequest request, const Caller& caller,
                           const SendResponse& send);

  Reply<oip::ModelMetadata> metadata(const std::string& model, const std::string& version) const;
  Reply<std::shared_ptr<ModelVersion>> find(const std::string& model,
                                            const std::string& version) const;
  std::vector<IndexRow> index(bool ready_only) const { return catalogue_.index(ready_only); }
  std::vector<std::shared_ptr<ModelVersion>> versions() const { return catalogue_.all(); }
  std::vector<std::string> warnings() const { return catalogue_.warnings(); }
  Reply<bool> load(const std::string& model);
  Reply<bool> unload(const std::string& model);

  Reply<bool> begin_rollout(const std::string& model, std::string_view order);
  Reply<bool> stop_rollout(const std::string& model, const std::string& reason);
  Reply<std::string> show_rollout(const std::string& model) const { return desk_->show(model); }

  // A completion under way; the ticket counts for the client's limits until it is dropped.
  struct Completion {
    CompletionHead head;
    int prompt_tokens = 0;
    bool tells_likelihoods = false;
    // What the answer begins with where it repeats the prompt.
    std::string echoed_text;
    std::vector<int> echoed_tokens;
    std::shared_ptr<ModelVersion> version;
    std::unique_ptr<TextAnswer> answer;
    std::unique_ptr<Clients::Ticket> ticket;
    ServeClock::time_point start;
  };
  Reply<Completion> complete(CompletionRequest request, const Caller& caller);

  // From now on nothing new is answered and nothing is ready. Returns whether all that was under
  // way ended within the time.
  bool drain(std::chrono::milliseconds time);
  int64_t under_way() const { return under_way_; }
  int64_t refused() const { return refused_; }
  int64_t answered() const { return answered_; }

 private:
  Service(ServiceOptions options, ModelOpener opener);
  class UnderWay;
  Reply<bool> answer(oip::InferRequest request, const Caller& asking, bool in_pieces,
                     const SendResponse& send);
  Reply<oip::InferResponse> infer_tensors(oip::InferRequest& request,
                                          std::shared_ptr<ModelVersion> version,
                                          const Caller& caller);
  Reply<bool> infer_text(const oip::InferRequest& request, const ModelVersion& version,
                         const Caller& caller, bool in_pieces, const SendResponse& send);
  Reply<bool> check_control() const;

  const ServiceOptions options_;
  Catalogue catalogue_;
  Clients clients_;
  std::unique_ptr<RolloutDesk> desk_;
  std::atomic<bool> draining_ = false;
  std::atomic<int64_t> under_way_ = 0, refused_ = 0, answered_ = 0, next_id_ = 1;
};

}  // namespace edgewright
