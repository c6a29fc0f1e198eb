#pragma once

#include <string>
#include <string_view>

#include "profile/trace/trace.h"

namespace edgewright {

// The JSON that ONNX Runtime writes with SessionOptions.enable_profiling: one event per node and
// run, with operator, provider and the shapes of operands.
bool is_onnxruntime_profile(std::string_view head);
Result<Trace> parse_onnxruntime_profile(std::string_view text);

}  // namespace edgewright
