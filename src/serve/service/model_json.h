#pragma once

#include <string>
#include <vector>

#include "serve/service/catalogue.h"

namespace edgewright {

// Answers of the protocol's extensions as JSON: statistics, model configuration and repository
// index (triton-inference-server/server, docs/protocol).
std::string encode_statistics(const std::vector<std::shared_ptr<ModelVersion>>& versions);
std::string encode_config(const ModelVersion& version);
std::string encode_index(const std::vector<IndexRow>& rows);

// "TYPE_FP32", as model configurations name element types.
std::string config_type_name(DType dtype);
// A port's dimensions without the batch's.
std::vector<int64_t> config_dims(const ServingConfig& config, const ServedPort& port);
// What the server says of itself.
oip::ServerMetadata server_metadata();

}  // namespace edgewright
