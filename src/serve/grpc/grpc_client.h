#pragma once

#include <memory>

#include "serve/client.h"

namespace edgewright {

// inference.GRPCInferenceService. Connects at the first call and again when it was lost.
// kBadInput when the file of authorities cannot be read.
Result<std::unique_ptr<InferenceClient>> open_grpc_client(const ServerAddress& address,
                                                          const ClientOptions& options = {});

}  // namespace edgewright
