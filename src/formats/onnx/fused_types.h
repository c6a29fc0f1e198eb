#pragma once

#include "graph/graph.h"

namespace edgewright::onnx_io {

// Sets the output types of the fused operators (com.microsoft, edgewright) that the table knows,
// as far as the types of the inputs are known. Others are left alone.
void infer_fused_types(Node& node);

}  // namespace edgewright::onnx_io
