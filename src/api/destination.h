#pragma once

#include <optional>
#include <string>

#include "api/target_plan.h"
#include "edgewright/convert.h"

namespace edgewright {

// What `convert` writes: "onnx", "plan" or the name of an export format; and where the user names a
// version of a runtime, the planner for it.
struct Destination {
  std::string format;
  std::optional<TargetPlanner> planner;
  int fusing_opset = 0;  // see TargetPlanner; 0: no planner
};

// From ConvertOptions::to, NAME or NAME@VERSION[,hardware=H][,gelu-error=E], and the output's
// ending. kUsage naming what there is.
Result<Destination> destination_of(const std::string& output, const ConvertOptions& options);

// With a planner: the opset of the result, where the options name none, and how far passes may
// fuse; both are recorded. kUsage when the options name one that the target does not read.
Status choose_target_opset(const Model& original, Destination& destination, ConvertOptions& options,
                           ConvertReport& report);

}  // namespace edgewright
