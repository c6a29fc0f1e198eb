#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "graph/type.h"
#include "tensor/attributes.h"
#include "tensor/datum.h"

namespace edgewright {

// A subgraph of a control-flow node, as the node's operator sees it; captured values are the
// business of `run`.
struct ControlFlowBody {
  std::string_view attribute;  // then_branch, else_branch, body
  size_t input_count = 0;
  std::vector<ValueType> output_types;  // as declared
  std::function<Result<std::vector<Datum>>(std::span<const Datum>)> run;
};

struct ControlFlowCall {
  std::string_view op;
  const Attributes* attributes = nullptr;
  std::span<const Datum> inputs;
  size_t output_count = 0;
  std::span<const ControlFlowBody> bodies;
  int64_t iteration_limit = 0;  // a Loop that runs longer is refused with kUnsupported
};

// True for If, Loop, Scan and SequenceMap of ai.onnx.
bool is_control_flow(std::string_view domain, std::string_view op);

// Runs the node; meanings as in the ONNX operator documentation. kBadInput when the bodies do not
// fit the node, or conditions and slices have the wrong type.
Result<std::vector<Datum>> run_control_flow(const ControlFlowCall& call);

}  // namespace edgewright
