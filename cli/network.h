#pragma once

#include <string>

#include "command.h"
#include "edgewright/language.h"
#include "edgewright/serve.h"

namespace edgewright::cli {

struct ServerSettings {
  ServeOptions serve;
  std::string announce;
  int max_body_mb = 64, drain_s = 10;
};

// The commands that speak over a network. The libraries of that take longer to load than most
// commands run, so that they are a program of their own, edgewright-serve: in the program
// edgewright each of these functions becomes that one (start_network.cc), which does the work
// (network/).
namespace network {

// Serves until the process is asked to end (SIGTERM, SIGINT).
Result<Outcome> serve(const ServerSettings& settings);
Result<SplitRunReport> run_split(const SplitRunOptions& options);
Result<SecretRunReport> run_secret(const SecretRunOptions& options);
Result<SplitGenerateReport> generate_split(const SplitGenerateOptions& options);
Result<LinkProbeReport> probe_link(const LinkProbeOptions& options);
Result<RemoteSpeculateReport> speculate_remotely(const RemoteSpeculateOptions& options);

}  // namespace network
}  // namespace edgewright::cli
