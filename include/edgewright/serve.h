#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "edgewright/power.h"
#include "edgewright/result.h"
#include "edgewright/session.h"

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
  // Told what language engines do, and asked how many sequences they may compute together and how
  // much of the time (power_govern); empty: none.
  std::string phase_file, advice_file;
  // CPUs of the stages of a pipeline of layers in language engines, as in "0-3/4-7"; empty: none.
  std::string stages;
  std::string power_root = "/";  // the tree of sys whose energy counters and sensors are read

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
  EnergyFigures energy;  // of the whole machine since the start; a unit is an answered request
  bool passed = true;    // everything under way was answered before the end
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

// A server of the Open Inference Protocol, version 2, as a client reaches it.
struct ServerOptions {
  std::string url;          // "http://HOST:PORT", or with https, grpc or grpcs
  std::string token_file;   // holds a bearer token; empty: none
  std::string authorities;  // file of certificates to trust; empty: the system's
};

// ---- split run ----

// How the cut of a request is chosen among those that the server has.
struct SplitRunChoice {
  // "latency" or "throughput" by what was measured of link and server; or a policy that learns from
  // every request: "lin-ucb", "tabular", "dqn".
  std::string by = "latency";
  std::string state;  // file of what a policy has learned; read if it exists, written at the end
  // A policy's cost of a request: ms of latency and so much for each of these.
  double per_energy_mj = 0, per_device_ms = 0, per_price = 0;
  double device_power_mw = 3000, radio_power_mw = 1500, price_per_gb = 0, server_price_per_hour = 0;
};

// What is done to activations before they leave.
struct SplitRunPrivacy {
  double epsilon = 0, delta = 1e-5;  // of each request, by Gaussian noise; 0: none
  double clip = 0;                   // L2 bound of what is sent; 0: the samples' median norm
  std::string budget;                // file of what all requests may spend; empty: no end
  double total_epsilon = 0;          // of a budget that does not exist yet
  std::string key;                   // file of the key (64 hexadecimal digits) for what is sealed
  std::vector<std::string> sealed;   // names of values; "all"
};
struct SplitRunPrivacyReport {
  double sigma = 0;          // of the last cut's noise
  int64_t releases = 0;      // in this run
  double spent_epsilon = 0;  // of all releases in the budget, or of this run
  double total_epsilon = 0;  // 0: no end
  int64_t kept_here = 0;     // requests that were not sent because the budget was spent
};

struct SplitRunOptions {
  std::string model;  // the whole ONNX model; its server halves are in the server's repository
  InputShapes shapes;
  ServerOptions server;
  // The last layer on the device ("input": none, "output": all); empty: whatever of the cuts that
  // the server has is quickest, which is looked at again while it runs.
  std::string cut;
  // Forms in which activations may be sent where the server has halves that take them ("fp16",
  // "int8", "int4"; and all of CodecOptions, which only `edgewright serve` takes), and the share of
  // top answers that they must keep, measured before the run.
  std::vector<std::string> codecs;
  double floor = 0.99;
  SplitRunChoice choice;
  SplitRunPrivacy privacy;
  std::string data;  // inputs (DATA); empty: seeded random ones
  int64_t requests = 50;
  double interval_ms = 0;  // between arrivals; 0: one after another, as the device has room
  double deadline_ms = 1000;
  int in_flight = 0;     // requests beyond the device at one time; 0: 2, or what a pipeline needs
  bool fallback = true;  // the device finishes what the server does not answer in time
  std::string output;    // folder for the outputs of the last request; empty: none
  int threads = 1;
  uint64_t seed = 0;
  std::function<void(const std::string& what)> progress;  // "ready" before the first request
};

// A cut that both sides have, and what it was predicted to take before the run.
struct SplitRunCut {
  std::string cut, server_model;
  std::string codec = "none";
  // Measured before the run on the device: top answers kept, and errors of activations and answers.
  double agreement = 1, relative_l2 = 0, output_relative_l2 = 0;
  size_t measured_samples = 0;
  double device_us = 0, rest_us = 0, server_us = 0;  // measured; rest: on the device instead
  double sent_bytes = 0, result_bytes = 0;
  double planned_us = 0;              // of a request, on the link as measured
  double planned_per_s = 0;           // of a pipeline of requests
  std::optional<double> measured_us;  // median of its requests, where there were any
  int64_t requests = 0;
};
struct SplitRunEvent {
  double time_ms = 0;
  std::string what, from, to, why;  // "cut", "down", "up" or "budget"
};
struct SplitRunAnswer {
  double arrived_ms = 0, latency_ms = 0;  // from the beginning of the run; of the answer
  std::string by;                         // "server", "device", "resumed" or "nobody"
};
struct SplitRunReport {
  std::string cut;  // with which it ended
  std::string codec = "none";
  double latency_us = 0;                                // median
  double p90_us = 0, p99_us = 0, throughput_per_s = 0;  // p...: NaN where too few can support it
  int64_t requests = 0, answered_by_server = 0, answered_by_device = 0, resumed_on_device = 0;
  int64_t failed = 0, late = 0, retried = 0, dropped_answers = 0;
  double uplink_mbit_s = 0, downlink_mbit_s = 0, round_trip_ms = 0, server_slowdown = 1;
  std::vector<SplitRunCut> cuts;
  std::vector<SplitRunEvent> events;
  std::vector<SplitRunAnswer> timeline;  // of the first 10,000 requests
  std::vector<std::string> failures;     // at most 10 different ones
  std::optional<double> accuracy;        // where DATA has labels
  std::vector<RunOutput> outputs;
  std::string server;    // name and version as it says
  double mean_cost = 0;  // by a policy's weights
  std::optional<SplitRunPrivacyReport> privacy;
  bool passed = true;  // every request was answered before its deadline
  std::vector<std::string> warnings;
};
std::string to_json(const SplitRunReport& report);
// Runs a model that is cut between this machine and a server. kUnsupported when the server has no
// half of this model (`split plan --output` writes them).
Result<SplitRunReport> run_split(const SplitRunOptions& options);

// ---- split secret ----

struct SecretRunOptions {
  std::string device;  // the folder "device" that share_model() wrote
  std::string first_url, second_url;
  std::string first_token_file, second_token_file, authorities;  // as in ServerOptions
  std::string data;                                              // inputs (DATA); empty: random
  int64_t requests = 1;
  double deadline_ms = 10000;  // of each
  std::string output;          // folder for the outputs of the last request; empty: none
  int threads = 1;
  uint64_t seed = 0;  // of random inputs; masks come from the system's generator
};
struct SecretRunLayer {
  std::string layer;
  double latency_us = 0;                      // median: masking, both servers, adding up
  double sent_bytes = 0, received_bytes = 0;  // of one request, both servers together
};
struct SecretRunReport {
  int64_t requests = 0;
  double latency_us = 0;  // median
  std::vector<SecretRunLayer> layers;
  uint64_t requests_left = 0;  // for which the folder has masks
  std::vector<RunOutput> outputs;
  std::vector<std::string> warnings;
};
std::string to_json(const SecretRunReport& report);
// Runs a model whose shared layers two servers compute, neither of which learns anything of inputs
// or weights as long as they do not put together what they see. kCheckFailed when the masks are
// used up or a server does not answer in time.
Result<SecretRunReport> run_secret(const SecretRunOptions& options);

// ---- split speculate with a draft model ----

struct RemoteSpeculateOptions {
  std::string draft;  // a language model on this machine
  ServerOptions server;
  std::string target;  // a checker in the server's repository (docs/commands/split-speculate.md)
  std::string prompt;
  int max_tokens = 128;
  int length = -1;  // of every draft; 0: none; -1: the best by acceptance and times
  float temperature = 0;
  double deadline_ms = 30000;  // of each question
  int threads = 1;
  uint64_t seed = 0;
};
struct RemoteSpeculateReport {
  std::string text;
  std::vector<int> tokens;
  int rounds = 0, plain_rounds = 0, proposed = 0, accepted = 0;
  int length = 0;  // of the last draft that was wanted; 0: off
  double acceptance = 0, predicted_speedup = 1;
  double draft_ms = 0, target_ms = 0, check_ms = 0, round_trip_ms = 0;  // as measured
  double ttft_ms = 0, ms_per_token = 0, plain_ms_per_token = 0;
  std::vector<std::string> warnings;
};
std::string to_json(const RemoteSpeculateReport& report);
// Text from a model behind a link, with drafts made here; the same text as without.
Result<RemoteSpeculateReport> speculate_remotely(const RemoteSpeculateOptions& options);

// ---- link probe ----

struct LinkProbeOptions {
  ServerOptions server;
  int repeats = 15;        // exchanges of each size
  double most_mb = 8;      // of the larger size
  double deadline_s = 60;  // for all of it
  std::string output;      // a link file; empty: none
  uint64_t seed = 0;
};
// A figure and its interval of 95 % confidence.
struct ProbedFigure {
  double value = 0, low = 0, high = 0;
};
struct LinkProbeReport {
  std::string server;
  ProbedFigure uplink_mbit_s, round_trip_ms;
  std::optional<ProbedFigure> downlink_mbit_s;  // absent: the server cannot be asked for much
  double small_bytes = 0, large_bytes = 0;
  int64_t exchanges = 0;
  std::string toml;  // the link as a file (docs/formats/link.md)
  std::vector<std::string> files, warnings;
};
std::string to_json(const LinkProbeReport& report);
Result<LinkProbeReport> probe_link(const LinkProbeOptions& options);

}  // namespace edgewright
