#pragma once

#include <string>
#include <string_view>

#include "profile/trace/trace.h"

namespace edgewright {

// The CSV of OpenVINO's benchmark_app with -report_type detailed_counters or average_counters:
// layerName;execStatus;layerType;execType;realTime (ms);cpuTime (ms).
bool is_openvino_report(std::string_view head);
Result<Trace> parse_openvino_report(std::string_view text);

}  // namespace edgewright
