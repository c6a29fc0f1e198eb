#pragma once

#include <string>
#include <string_view>

#include "profile/trace/trace.h"

namespace edgewright {

// What TensorFlow Lite's benchmark_model prints with --enable_op_profiling=true, as text or CSV:
// the section "Operator-wise Profiling Info" in run order.
bool is_tflite_report(std::string_view head);
Result<Trace> parse_tflite_report(std::string_view text);

}  // namespace edgewright
