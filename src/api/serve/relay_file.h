#pragma once

#include <string>

#include "graph/graph.h"
#include "serve/relay.h"

namespace edgewright {

// relay.json beside relay.onnx (docs/formats/relay.md): where the next server is and what it gets.
struct RelayFile {
  std::string server;      // URL of the next server
  std::string token_file;  // holds a bearer token for it; empty: none
  RelayPlan plan;
};
Result<RelayFile> read_relay_file(const std::string& path);
std::string relay_text(const RelayFile& relay);
// kUnsupported for a value that is no tensor, or of a type that the protocol does not have.
Result<ServedPort> served_port_of(const Value& value);

}  // namespace edgewright
