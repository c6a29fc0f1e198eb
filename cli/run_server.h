#pragma once

#include <string>

#include "command.h"
#include "edgewright/serve.h"

namespace edgewright::cli {

struct ServerSettings {
  ServeOptions serve;
  std::string announce;
  int max_body_mb = 64, drain_s = 10;
};

// Runs the server until the process is asked to end (SIGTERM, SIGINT). The libraries of a network
// server take longer to load than most commands run, so that they are a program of their own,
// edgewright-serve: in the program edgewright this function becomes that one (start_server.cc), in
// edgewright-serve it serves (server/run_server.cc).
Result<Outcome> run_server(const ServerSettings& settings);

}  // namespace edgewright::cli
