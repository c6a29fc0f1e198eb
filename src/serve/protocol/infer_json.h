#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "serve/protocol/message.h"

namespace edgewright::oip {

// The header that says how many bytes of an HTTP body are JSON, where binary data follow.
inline constexpr std::string_view kJsonLengthHeader = "Inference-Header-Content-Length";

// A body as HTTP carries it: JSON, and the data of binary tensors after it in their order.
struct HttpBody {
  std::string bytes;
  // The value of kJsonLengthHeader; absent when everything is JSON and no such header is sent.
  std::optional<size_t> json_bytes;
};

struct DecodeLimits {
  size_t max_json_bytes = size_t{16} << 20;  // JSON takes some 16 times its size in memory
  size_t max_tensors = 1024;
};

// Requests: of the server what it receives, of a client what it sends. A tensor with `binary` set
// has its data after the JSON. Errors of decode: bad input that names the tensor, and unsupported
// for shared memory. Errors of encode: unsupported (see append_json).
Result<InferRequest> decode_infer_request(std::string_view body, std::optional<size_t> json_bytes,
                                          const DecodeLimits& limits = {});
Result<HttpBody> encode_infer_request(const InferRequest& request);

// Responses, the other way round.
Result<HttpBody> encode_infer_response(const InferResponse& response);
Result<InferResponse> decode_infer_response(std::string_view body, std::optional<size_t> json_bytes,
                                            const DecodeLimits& limits = {});

}  // namespace edgewright::oip
