#pragma once

#include "inference.pb.h"
#include "serve/service/catalogue.h"

namespace edgewright {

// What describes models and the server, as gRPC's messages.
void to_message(const oip::ServerMetadata& metadata, inference::ServerMetadataResponse& message);
void to_message(const oip::ModelMetadata& metadata, inference::ModelMetadataResponse& message);
void to_message(const ModelVersion& version, inference::ModelConfig& message);
void to_message(ModelVersion& version, inference::ModelStatistics& message);
void to_message(const IndexRow& row, inference::RepositoryIndexResponse::ModelIndex& message);

}  // namespace edgewright
