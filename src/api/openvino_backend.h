#pragma once

#include "edgewright/session.h"
#include "runtime/backends/openvino.h"

namespace edgewright {

// The library of that path, loaded once for the whole process; empty: as the system finds it.
Result<std::shared_ptr<const OpenvinoLibrary>> openvino_library(const std::string& path);

// The tensors that a graph is given or gives, constants left out.
std::vector<Session::Port> ports_of(const std::vector<Value*>& values);

// Infers the types of a graph and, with `optimise`, runs our passes for what our writer of
// OpenVINO's format takes.
Status prepare_for_openvino(Model& model, bool optimise);

// Opens a graph of fixed shapes and inferred types in OpenVINO. kUnsupported naming operators that
// it has no counterpart for.
Result<std::unique_ptr<BackendSession>> open_in_openvino(
    const Graph& graph, const std::shared_ptr<const OpenvinoLibrary>& library, int threads);

}  // namespace edgewright
