#pragma once

#include <string>

#include "base/result.h"
#include "llm/packed_model.h"

namespace edgewright {

// Packed model files, docs/formats/ewlm.md. Written under a temporary name and renamed.
Status write_packed_model(const std::string& path, const PackedModel& model);
// Maps the file: weights are read where they are used. Everything is checked but the weights'
// values, of which any are valid.
Result<PackedModel> read_packed_model(const std::string& path);

}  // namespace edgewright
