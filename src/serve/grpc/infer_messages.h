#pragma once

#include "inference.pb.h"
#include "serve/protocol/message.h"

namespace edgewright {

// The messages of gRPC as the values that both transports share, and back. Errors: bad input that
// names the tensor; unsupported for shared memory.
Result<oip::InferRequest> from_message(const inference::ModelInferRequest& message);
Result<inference::ModelInferRequest> to_message(const oip::InferRequest& request);
// Every output's data go into the raw contents.
Result<inference::ModelInferResponse> to_message(const oip::InferResponse& response);
Result<oip::InferResponse> from_message(const inference::ModelInferResponse& message);

}  // namespace edgewright
