#pragma once

#include "runtime/backend.h"
#include "runtime/backends/openvino_library.h"

namespace edgewright {

// A model in OpenVINO's own format, as files, and what it takes and gives: tensors of fixed shapes.
struct OpenvinoModel {
  std::string path, weights_path;  // read while the session opens, not later
  std::vector<Session::Port> inputs, outputs;
};

// Compiles the model for OpenVINO's CPU device, all float arithmetic in float32 as ours is. Inputs
// and outputs are copied. The session has no figures but its times.
Result<std::unique_ptr<BackendSession>> open_openvino(
    std::shared_ptr<const OpenvinoLibrary> library, OpenvinoModel model, int threads);

}  // namespace edgewright
