#pragma once

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "serve/http_connection.h"
#include "serve/protocol/message.h"

namespace edgewright {

// How a request to a server ended.
enum class RemoteOutcome : uint8_t {
  kAnswered,
  kUnreachable,  // no connection, or it broke
  kTimedOut,
  kBusy,     // 429, 502, 503, 504: a moment later it may be answered
  kRefused,  // any other error of the server, or a malformed answer: again it would be the same
};

struct RemoteAnswer {
  RemoteOutcome outcome = RemoteOutcome::kUnreachable;
  std::string message;  // why there is no answer
  oip::InferResponse response;
  double elapsed_us = 0;      // of the last attempt
  double retry_after_us = 0;  // what the server asks for; 0: nothing
  int attempts = 1;

  bool ok() const { return outcome == RemoteOutcome::kAnswered; }
};

// A server of the Open Inference Protocol, version 2, seen from a client. One call at a time; every
// call ends by its deadline.
class InferenceClient {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  virtual ~InferenceClient() = default;
  virtual RemoteAnswer infer(const oip::InferRequest& request, Deadline deadline) = 0;
  // Round trip of the smallest question there is ("are you alive?"), in microseconds.
  virtual Result<double> ping(Deadline deadline) = 0;
  virtual Result<oip::ServerMetadata> server(Deadline deadline) = 0;
  // kUnsupported when the server has no such model. An empty version: the server's choice.
  virtual Result<oip::ModelMetadata> model(const std::string& name, const std::string& version,
                                           Deadline deadline) = 0;
  // Names of the models that are ready; kUnsupported when the server has no such list (an
  // extension of Triton's).
  virtual Result<std::vector<std::string>> ready_models(Deadline deadline) = 0;
};

// Over HTTP with binary tensors.
Result<std::unique_ptr<InferenceClient>> open_http_client(const ServerAddress& address,
                                                          const ClientOptions& options = {});

struct RetryPolicy {
  int most_attempts = 4;
  // Waits are random between 0 and base x 2^retries, at most `longest`: "full jitter" of Brooker,
  // "Exponential backoff and jitter", AWS Architecture Blog, 2015.
  double base_us = 20000, longest_us = 500000;
};
// The wait before an attempt (1: the first retry), in microseconds.
double backoff_us(const RetryPolicy& policy, int retry, std::mt19937_64& random);

// Tries again while that may help and time is left. An inference has no side effects, so repeating
// it is harmless; the caller takes one answer.
RemoteAnswer infer_with_retries(InferenceClient& client, const oip::InferRequest& request,
                                InferenceClient::Deadline deadline, const RetryPolicy& policy,
                                std::mt19937_64& random);

}  // namespace edgewright
