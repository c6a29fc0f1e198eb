#pragma once

#include <string>

#include "edgewright/convert.h"
#include "graph/graph.h"

namespace edgewright {

// The opset that a result of this precision needs at least; 0: any.
int least_opset(const ConvertOptions& options);

// Changes the optimised model to options.precision and fills the report's precision, choices and
// quantization. False: a goal was missed (the report says which layers are guilty).
Result<bool> apply_precision(Model& model, const ConvertOptions& options, ConvertReport& report);

}  // namespace edgewright
