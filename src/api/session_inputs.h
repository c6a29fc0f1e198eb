#pragma once

#include <span>
#include <vector>

#include "edgewright/session.h"
#include "runtime/session.h"

namespace edgewright {

// Inputs of a model in the order of its ports: the given ones, seeded ones for the rest. The shapes
// of the given ones, the fixed ones and the best of a range (ShapeRange::opt) fix the symbols of
// the others.
Result<std::vector<Datum>> session_inputs(std::span<const Session::Port> ports,
                                          const TensorMap& given, const InferenceOptions& session,
                                          uint64_t seed);

}  // namespace edgewright
