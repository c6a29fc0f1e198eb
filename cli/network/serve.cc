#include "energy_text.h"
#include "network.h"

#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <fstream>

namespace edgewright::cli {
namespace {

// Signals that end the server are waited for by one thread and seen by no other.
sigset_t ending_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

Status announce(const std::string& path, const ServeReport& report) {
  if (path.empty()) return {};
  const std::string temporary = path + ".part";
  std::ofstream file(temporary, std::ios::binary);
  file << to_json(report);
  file.close();
  if (file && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  return usage_error("cannot write {}", path);
}

std::string greeting(const ServeReport& report, const ServeOptions& options) {
  const char* const secure = options.certificate.empty() ? "" : "s";
  std::string text;
  if (report.http_port >= 0) {
    text += fmt::format("http{}://{}:{}\n", secure, report.host, report.http_port);
  }
  if (report.grpc_port >= 0) {
    text += fmt::format("grpc{}://{}:{}\n", secure, report.host, report.grpc_port);
  }
  for (const ServedModelReport& model : report.models) {
    text += fmt::format("  {} {}  {}{}\n", model.name, model.version, model.state,
                        model.reason.empty() ? "" : ": " + model.reason);
  }
  return text;
}

std::string summary(const ServeReport& report) {
  std::vector<std::vector<std::string>> rows = {{"model", "version", "requests", "failures"}};
  for (const ServedModelReport& model : report.models) {
    rows.push_back({model.name, model.version, fmt::format("{}", model.requests),
                    fmt::format("{}", model.failures)});
  }
  return table(rows) +
         fmt::format("answered {}, refused {}, up {:.1f} s\n", report.answered, report.refused,
                     report.uptime_s) +
         energy_text(report.energy, "request") + warnings_text(report.warnings);
}

}  // namespace

namespace network {

Result<Outcome> serve(const ServerSettings& settings) {
  ::signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ServeOptions options = settings.serve;
  options.phase_file = environment_or(kPhaseFile, "");
  options.power_root = environment_or(kPowerRoot, "/");
  options.advice_file = environment_or(kAdviceFile, "");
  options.stages = environment_or(kStages, "");
  options.on_event = [](const std::string& line) {
    std::fprintf(stderr, "edgewright: %s\n", line.c_str());
  };
  EDGEWRIGHT_ASSIGN(ModelServer server, ModelServer::start(options));
  const ServeReport started = server.report();
  for (const std::string& warning : started.warnings) options.on_event("warning: " + warning);
  std::fputs(greeting(started, options).c_str(), stderr);
  EDGEWRIGHT_TRY(announce(settings.announce, started));
  int signal = 0;
  ::sigwait(&signals, &signal);
  options.on_event(
      fmt::format("ending; answers what is under way for up to {} s", settings.drain_s));
  // A second signal does not wait.
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const ServeReport report = server.stop(int64_t{1000} * settings.drain_s);
  return Outcome{summary(report), to_json(report), report.passed};
}

Result<SplitRunReport> run_split(const SplitRunOptions& options) {
  return edgewright::run_split(options);
}

Result<SecretRunReport> run_secret(const SecretRunOptions& options) {
  return edgewright::run_secret(options);
}

Result<SplitGenerateReport> generate_split(const SplitGenerateOptions& options) {
  return edgewright::generate_split(options);
}

Result<LinkProbeReport> probe_link(const LinkProbeOptions& options) {
  return edgewright::probe_link(options);
}

Result<RemoteSpeculateReport> speculate_remotely(const RemoteSpeculateOptions& options) {
  return edgewright::speculate_remotely(options);
}

}  // namespace network

}  // namespace edgewright::cli
