#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edgewright/result.h"

namespace edgewright {

// A server for the Open Inference Protocol (HTTP and gRPC) and, for language models, OpenAI's
// completions. The models come from a folder laid out as Triton's model repositories are:
// FOLDER/MODEL/VERSION/model.onnx (or model.ewplan, model.ewlm, model.gguf), with an optional
// FOLDER/MODEL/config.pbtxt.
struct ServeOptions {
  std::string repository;
  std::string host = "127.0.0.1";          // an address to listen on; "0.0.0.0" is every one
  int http_port = 8000, grpc_port = 8001;  // 0: one that is free; -1: not at all

  std::string certificate, key;  // PEM files; both or none: TLS for both transports
  std::string tokens;            // a file of lines NAME TOKEN; empty: everybody may ask
  bool model_control = false;    // load, unload and roll out over the network

  int threads = 1;               // of each model's instance
  int64_t deadline_ms = 60'000;  // of requests that ask for none
  size_t max_queue = 256;        // requests that wait for a model; more are refused
  size_t max_body_bytes = size_t{64} << 20;
  int max_connections = 256;         // of HTTP; and of gRPC so many calls at a time
  double client_requests_per_s = 0;  // of one client (a token's name, else an address); 0: no limit
  int client_concurrent = 0;         // its requests under way; 0: no limit

  // What happens while it runs, one line each; called on any thread. May be empty.
  std::function<void(const std::string& line)> on_event;
};

struct ServedModelReport {
  std::string name, version, state, reason;
  int64_t requests = 0, failures = 0;
};

struct ServeReport {
  std::string host;
  int http_port = -1, grpc_port = -1;
  std::vector<ServedModelReport> models;
  int64_t answered = 0, refused = 0;
  double uptime_s = 0;
  bool passed = true;  // everything under way was answered before the end
  std::vector<std::string> warnings;
};
std::string to_json(const ServeReport& report);

// A running server. Thread-safe.
//
//   EDGEWRIGHT_ASSIGN(ModelServer server, ModelServer::start(options));
//   ... wait for a signal ...
//   const ServeReport report = server.stop(10'000);
class ModelServer {
 public:
  // Opens the models and listens. A model that cannot be opened is a warning and stays in the
  // repository's index with its reason; when none can be opened that is the error. Errors: bad
  // input (repository, certificate, tokens), unsupported (an address that cannot be had).
  static Result<ModelServer> start(const ServeOptions& options);
  ~ModelServer();
  ModelServer(ModelServer&&) noexcept;
  ModelServer& operator=(ModelServer&&) noexcept;

  ServeReport report() const;
  // Takes nothing new, answers what is under way for at most that long, and ends.
  ServeReport stop(int64_t drain_ms);

 private:
  struct State;
  explicit ModelServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace edgewright
