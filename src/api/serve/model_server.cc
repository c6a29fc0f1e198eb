#include "edgewright/serve.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "api/energy_watch.h"
#include "api/serve/model_opener.h"
#include "base/file.h"
#include "serve/grpc/grpc_server.h"
#include "serve/http/http_server.h"
#include "serve/http/routes.h"
#include "serve/service/service.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxPemBytes = size_t{1} << 20;

Status check(const ServeOptions& options) {
  if (options.http_port < 0 && options.grpc_port < 0) {
    return usage_error("neither HTTP nor gRPC is to be served");
  }
  if (options.certificate.empty() != options.key.empty()) {
    return usage_error("a certificate and its key go together; give both or none");
  }
  const bool sound = options.http_port <= 65535 && options.grpc_port <= 65535 &&
                     options.threads >= 1 && options.deadline_ms >= 1 && options.max_queue >= 1 &&
                     options.max_queue <= (1 << 20) && options.max_body_bytes >= 1024 &&
                     options.max_body_bytes <= (size_t{1} << 30) && options.max_connections >= 1 &&
                     options.max_connections <= 10'000 && options.client_requests_per_s >= 0 &&
                     options.client_concurrent >= 0;
  if (sound) return {};
  return usage_error(
      "expected ports up to 65535, 1 or more threads, a deadline of 1 ms or more, 1 to 1048576 "
      "places in the queue, bodies of 1 KiB to 1 GiB, 1 to 10000 connections and limits of 0 or "
      "more");
}

// So many instances keep every core busy; more than a few would only take memory.
int instances_for(int threads) {
  constexpr int kMost = 4;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores / threads, 1, kMost);
}

Result<ServiceOptions> service_options(const ServeOptions& options) {
  ServiceOptions service;
  service.repository = options.repository;
  service.versions = {options.threads, options.max_queue, instances_for(options.threads)};
  service.limits = {options.client_requests_per_s, options.client_concurrent};
  service.deadline_us = options.deadline_ms * 1000;
  service.model_control = options.model_control;
  service.on_event = options.on_event;
  if (options.tokens.empty()) return service;
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(options.tokens, kMaxPemBytes));
  auto names = Clients::read_tokens(text);
  if (!names.ok()) return std::move(names).error().at(options.tokens);
  service.tokens = *std::move(names);
  return service;
}

}  // namespace

struct ModelServer::State {
  explicit State(const ServeOptions& with) : options(with), energy(with.power_root) {}
  ServeOptions options;
  Clock::time_point start = Clock::now();
  EnergyWatch energy;
  // The transports end before the service that they call.
  std::unique_ptr<Service> service;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<GrpcServer> grpc;
  ServeReport last;  // of the moment when it was stopped
  bool stopped = false;

  Status start_http(const std::shared_ptr<TlsIdentity>& tls);
  Status start_grpc();
};

Status ModelServer::State::start_http(const std::shared_ptr<TlsIdentity>& tls) {
  if (options.http_port < 0) return {};
  HttpOptions with;
  with.host = options.host;
  with.port = options.http_port;
  with.max_connections = options.max_connections;
  with.limits.body_bytes = options.max_body_bytes;
  with.tls = tls;
  HttpContext context{*service};
  context.connections = [this] { return http ? http->connections() : 0; };
  const auto router = std::make_shared<const Router>(std::move(context));
  EDGEWRIGHT_ASSIGN(http, HttpServer::start(with, [router](const HttpRequest& request) {
                      return router->handle(request);
                    }));
  return {};
}

Status ModelServer::State::start_grpc() {
  if (options.grpc_port < 0) return {};
  GrpcOptions with;
  with.host = options.host;
  with.port = options.grpc_port;
  with.body_bytes = options.max_body_bytes;
  with.max_threads = options.max_connections;
  if (!options.certificate.empty()) {
    EDGEWRIGHT_ASSIGN(with.certificate, read_file(options.certificate, kMaxPemBytes));
    EDGEWRIGHT_ASSIGN(with.key, read_file(options.key, kMaxPemBytes));
  }
  EDGEWRIGHT_ASSIGN(grpc, GrpcServer::start(with, *service));
  return {};
}

ModelServer::ModelServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
ModelServer::ModelServer(ModelServer&&) noexcept = default;
ModelServer& ModelServer::operator=(ModelServer&&) noexcept = default;
ModelServer::~ModelServer() {
  if (state_) stop(0);
}

Result<ModelServer> ModelServer::start(const ServeOptions& options) {
  EDGEWRIGHT_TRY(check(options));
  auto state = std::make_unique<State>(options);
  std::shared_ptr<TlsIdentity> tls;
  if (!options.certificate.empty()) {
    EDGEWRIGHT_ASSIGN(tls, TlsIdentity::load(options.certificate, options.key));
  }
  EDGEWRIGHT_ASSIGN(ServiceOptions with, service_options(options));
  with.meter = [watch = &state->energy] {
    EnergyFigures figures = watch->so_far(0);
    return MeterState{figures.measured ? std::optional(figures.energy_j) : std::nullopt,
                      std::move(figures.method), figures.hottest_c};
  };
  const auto ledger =
      std::make_shared<EnergyLedger>([meter = &state->energy] { return meter->joules(); });
  EDGEWRIGHT_ASSIGN(ModelOpener opener, model_opener({.phase_file = options.phase_file,
                                                      .advice_file = options.advice_file,
                                                      .stages = options.stages,
                                                      .ledger = ledger}));
  EDGEWRIGHT_ASSIGN(state->service, Service::open(std::move(with), std::move(opener)));
  if (state->service->versions().empty()) {
    const std::vector<std::string> warnings = state->service->warnings();
    return bad_input("no model of {} can be served: {}", options.repository,
                     warnings.empty() ? "none is there" : warnings[0]);
  }
  state->energy.begin();
  EDGEWRIGHT_TRY(state->start_http(tls));
  EDGEWRIGHT_TRY(state->start_grpc());
  return ModelServer(std::move(state));
}

ServeReport ModelServer::report() const {
  State& state = *state_;
  if (state.stopped) return state.last;
  ServeReport report;
  report.host = state.options.host;
  if (state.http) report.http_port = state.http->port();
  if (state.grpc) report.grpc_port = state.grpc->port();
  for (const IndexRow& row : state.service->index(false)) {
    ServedModelReport model{row.name, row.version, row.state, row.reason, 0, 0};
    if (const auto version = state.service->find(row.name, row.version); version.ok()) {
      const ModelCounts counts = (*version)->statistics().counts();
      model.requests = static_cast<int64_t>(counts.success.count + counts.failure.count);
      model.failures = static_cast<int64_t>(counts.failure.count);
    }
    report.models.push_back(std::move(model));
  }
  report.answered = state.service->answered();
  report.refused = state.service->refused();
  report.energy = state.energy.so_far(report.answered);
  report.uptime_s = std::chrono::duration<double>(Clock::now() - state.start).count();
  report.warnings = state.service->warnings();
  return report;
}

ServeReport ModelServer::stop(int64_t drain_ms) {
  State& state = *state_;
  if (state.stopped) return state.last;
  const auto time = std::chrono::milliseconds(std::max<int64_t>(drain_ms, 0));
  const auto until = Clock::now() + time;
  if (state.http) state.http->stop();
  const bool drained = state.service->drain(time);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
  if (state.grpc) state.grpc->stop(std::max(left, std::chrono::milliseconds(0)));
  ServeReport report = this->report();
  report.passed = drained;
  if (!drained) {
    report.warnings.push_back(fmt::format("{} requests were still under way after {} ms",
                                          state.service->under_way(), drain_ms));
  }
  state.http.reset();
  state.grpc.reset();
  state.last = std::move(report);
  state.stopped = true;
  return state.last;
}

}  // namespace edgewright
