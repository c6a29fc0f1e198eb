#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/type.h"
#include "kernels/kernel.h"

namespace edgewright {

// Where a value of a plan lives while the plan runs.
enum class Storage : uint8_t {
  kNone,      // nowhere: nobody reads it
  kArena,     // at `offset` in the arena
  kInput,     // in the tensor that the caller gives for input `slot`
  kOutput,    // in the tensor that the caller gets for output `slot`
  kConstant,  // constant `slot`
  kHeap,      // datum `slot`: its size is known only at run time, or it is no plain tensor
};

struct PlanValue {
  std::string name;  // of the graph's value; a fused step has the name of its last original output
  DType dtype = DType::kUndefined;
  Dims dims;  // of a kHeap value: -1 where not known; see has_shape
  bool has_shape = true;
  Layout layout = Layout::kPlain;
  Storage storage = Storage::kNone;
  uint32_t slot = 0;
  size_t offset = 0;  // bytes from the start of the arena, input, output or constant
  size_t size_bytes = 0;

  bool is_static() const { return storage != Storage::kHeap; }
  TensorSpec spec() const { return {dtype, dims, layout, nullptr}; }
};

struct Plan;

// The plan of a subgraph. It takes the subgraph's inputs, then the values that it captures.
struct NestedPlan {
  std::string attribute;  // then_branch, else_branch, body
  std::shared_ptr<const Plan> plan;
  std::vector<int32_t> captures;  // values of the enclosing plan
};

enum class StepKind : uint8_t {
  kKernel,       // a prepared kernel
  kReference,    // a reference kernel; inputs and outputs may be on the heap
  kControlFlow,  // If, Loop, Scan, SequenceMap over nested plans
};

struct PlanStep {
  StepKind kind = StepKind::kReference;
  std::string name;  // of the node
  std::string domain, op;
  Attributes attributes;
  std::vector<int32_t> inputs, outputs;  // indices of values; -1: omitted

  // kKernel. Constants that the implementation packed are not read from `inputs`.
  const KernelImplementation* implementation = nullptr;
  Tensor packed;  // uint8; an empty handle when there is nothing to pack
  std::shared_ptr<const PreparedKernel> kernel;
  size_t scratch_offset = 0;  // in the arena

  ReferenceFunction reference = nullptr;  // kReference
  std::vector<NestedPlan> bodies;         // kControlFlow

  std::vector<uint32_t> released;  // heap slots that nobody reads after this step
};

// A graph made ready to run at fixed shapes: a list of steps over values with fixed places. Shared
// by sessions and never changed; the memory it works in belongs to an Executor.
struct Plan {
  std::string name;
  std::vector<PlanValue> values;
  std::vector<PlanStep> steps;
  std::vector<int32_t> inputs, outputs;  // indices of values
  std::vector<Tensor> constants;
  size_t arena_bytes = 0;
  // The most bytes that live at one moment: no arena can be smaller. Inputs, outputs and constants
  // are not counted; working memory of kernels is.
  size_t live_set_bytes = 0;
  uint32_t heap_slots = 0;
  int threads = 1;
};

// The request that the plan compiler made for a step, without constants.
KernelRequest request_of(const Plan& plan, const PlanStep& step);
// The type of a value, as far as it is known before the plan runs.
ValueType type_of(const PlanValue& value);
// The types of the plan's outputs, as far as they are known before it runs.
std::vector<ValueType> output_types(const Plan& plan);
// Own and nested arenas together, and the same for the live sets.
size_t total_arena_bytes(const Plan& plan);
size_t total_live_set_bytes(const Plan& plan);

}  // namespace edgewright
