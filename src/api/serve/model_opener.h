#pragma once

#include "serve/served_model.h"

namespace edgewright {

// Opens ONNX models, plans and language models for the server.
ModelOpener model_opener();

}  // namespace edgewright
