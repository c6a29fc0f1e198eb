#pragma once

#include "graph/graph.h"

namespace edgewright {

// Types by the ONNX schemas of the canonical opset, and by a table of our own for com.microsoft
// operators. Operators that neither knows keep the types they have. What a schema computes stands
// above what a file declared; only contradicting element types are an error (kBadInput).
const TypeInferer& onnx_type_inferer();

}  // namespace edgewright
