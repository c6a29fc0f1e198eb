#pragma once

#include "serve/served_model.h"

namespace edgewright {

// Opens ONNX models, plans and language models for the server. Language engines tell one file what
// they do and take the advice of another; empty: none. kBadInput when the first cannot be written.
Result<ModelOpener> model_opener(const std::string& phases, const std::string& advice);

}  // namespace edgewright
