#pragma once

#include "edgewright/session.h"
#include "runtime/backends/openvino.h"

namespace edgewright {

// The library of that path, loaded once for the whole process; empty: as the system finds it.
Result<std::shared_ptr<const OpenvinoLibrary>> openvino_library(const std::string& path);

// Opens a graph of fixed shapes and inferred types in OpenVINO. kUnsupported naming operators that
// it has no counterpart for.
Result<std::unique_ptr<BackendSession>> open_in_openvino(
    const Graph& graph, const std::shared_ptr<const OpenvinoLibrary>& library, int threads);

}  // namespace edgewright
