#pragma once

#include <memory>

#include "edgewright/serve.h"
#include "serve/client.h"

namespace edgewright {

// Where a client's options lead: parsed once, opened as often as connections are needed.
class ServerConnection {
 public:
  static Result<ServerConnection> of(const ServerOptions& options);
  Result<std::unique_ptr<InferenceClient>> open() const;
  std::string text() const { return address_.text(); }

 private:
  ServerAddress address_;
  ClientOptions client_;
};

// So long from now.
InferenceClient::Deadline deadline_in(double time_us);

}  // namespace edgewright
