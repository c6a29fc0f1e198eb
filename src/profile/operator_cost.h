#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/node_facts.h"
#include "runtime/plan.h"

namespace edgewright {

// One operand of an operation, from a graph or from a plan. Absent ones have dtype kUndefined.
struct CountedOperand {
  DType dtype = DType::kUndefined;
  std::optional<Dims> dims;  // absent: not known before the run
  bool is_constant = false;
  int64_t size_bytes = 0;  // as stored, padding of blocked layouts included; 0 when unknown

  bool present() const { return dtype != DType::kUndefined; }
};

// An operation whose work is counted, whoever owns it.
struct Operation {
  std::string name, domain, op;
  const Attributes* attributes = nullptr;
  std::vector<CountedOperand> inputs, outputs;
  // Bytes of weights in the order that the kernel reads them; 0: the constant inputs themselves.
  int64_t packed_bytes = 0;
  bool moves_nothing = false;  // a join or split whose parts lie in the whole
};
Operation operation_of(const Node& node);
Operation operation_of(const Plan& plan, const PlanStep& step);

// What kind of work an operation is: kernels of one kind come equally close to the roofs.
enum class WorkKind : uint8_t {
  kConvolution,  // regular and grouped
  kDepthwise,
  kMatrix,  // matrix products with at least kFewRows rows
  kVector,  // matrix products with few rows: weights are read once and used little
  kAttention,
  kElementwise,
  kNormalise,  // softmax and normalisations: a reduction and a map
  kReduce,     // pooling and reductions
  kMove,       // copies, transposes, gathers, layout changes
  kView,       // no work: shapes and names change
  kOther,      // control flow, recurrence, sorting, detection
};
inline constexpr int64_t kFewRows = 8;
std::string_view work_kind_name(WorkKind kind);

// Published counts of networks are multiply-adds of convolutions and matrix products (fvcore,
// torchvision): attention scores and values included, biases and activations not. `flops` counts
// two for each of those, and one for every further addition, multiplication, comparison or
// elementary function (exp, tanh, erf, square root).
struct Work {
  WorkKind kind = WorkKind::kOther;
  int64_t multiply_adds = 0;
  int64_t flops = 0;
  int64_t bytes_read = 0;  // weights included
  int64_t weight_bytes = 0;
  int64_t weight_count = 0;  // values in weight_bytes; 0: not known, or not all are read
  int64_t bytes_written = 0;
  bool complete = true;  // false: a shape that counts is not known
  DType compute_dtype = DType::kFloat32;
};
Work work_of(const Operation& operation);

}  // namespace edgewright
