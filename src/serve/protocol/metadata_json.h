#pragma once

#include <string>
#include <string_view>

#include "serve/protocol/message.h"

namespace edgewright::oip {

// The other messages of HTTP, as JSON text and back.
std::string encode_server_metadata(const ServerMetadata& metadata);
Result<ServerMetadata> decode_server_metadata(std::string_view body);

std::string encode_model_metadata(const ModelMetadata& metadata);
Result<ModelMetadata> decode_model_metadata(std::string_view body);

// {"error": MESSAGE}, as every refusal is said.
std::string encode_error(std::string_view message);
// The message in it; where the body is something else, its beginning.
std::string decode_error(std::string_view body);

}  // namespace edgewright::oip
