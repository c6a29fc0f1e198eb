#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "serve/service/service.h"

namespace edgewright {

struct GrpcOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: one that is free
  size_t body_bytes = size_t{64} << 20;
  int max_threads = 64;  // of calls at a time; more are refused as exhausted
  // PEM texts; both empty: not encrypted.
  std::string certificate, key;
};

// inference.GRPCInferenceService over a Service.
class GrpcServer {
 public:
  // Errors: unsupported for an address that cannot be had, bad input for a certificate that is
  // none.
  static Result<std::unique_ptr<GrpcServer>> start(const GrpcOptions& options, Service& service);
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  int port() const;
  // Accepts no more and waits for calls under way; those left after the time are cancelled.
  void stop(std::chrono::milliseconds time);

 private:
  struct State;
  explicit GrpcServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace edgewright
