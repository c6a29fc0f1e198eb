#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "runtime/plan.h"
#include "tensor/datum.h"

namespace edgewright {

// What a run reports while it goes; both may be empty. Neither is used for nested plans.
struct RunHooks {
  // Gets the moment when the first step began and the one when each step ended, behind what it
  // holds: one reading of the clock a step, because a step may take less than two.
  std::vector<std::chrono::steady_clock::time_point>* moments = nullptr;
  // A value that a step made, brought to the plain layout. It is valid during the call only.
  std::function<void(const PlanValue& value, const Datum& datum)> on_value;
};

// The working memory of one plan: arena, pointer tables, nested executors. One run at a time.
class Executor {
 public:
  // `pool` must outlive the executor and have at least the plan's threads.
  static Result<std::unique_ptr<Executor>> create(std::shared_ptr<const Plan> plan,
                                                  ThreadPool* pool);

  // Inputs in the order of the plan's, with exactly its types and shapes (kBadInput otherwise). An
  // input is read where it lies when it is 16-byte aligned. An output tensor stays valid for as
  // long as the caller keeps it; once dropped its memory serves the next run.
  Result<std::vector<Datum>> run(std::span<const Datum> inputs, const RunHooks* hooks = nullptr);

  const Plan& plan() const { return *plan_; }

 private:
  friend class StepCall;

  // The tables of one step. Pointers for kernels, data for reference kernels and control flow.
  struct StepState {
    std::vector<const void*> pointers;
    std::vector<void*> targets;
    void* scratch = nullptr;
    std::vector<Datum> data;
    std::vector<Tensor> results;  // static outputs; an empty handle for those on the heap
    std::vector<std::unique_ptr<Executor>> bodies;
  };
  // A place in a step's tables that follows an input or output buffer.
  struct Patch {
    uint32_t step;
    uint32_t position;
    bool is_output;
  };

  Executor(std::shared_ptr<const Plan> plan, ThreadPool* pool)
      : plan_(std::move(plan)), pool_(pool) {}
  Status prepare();
  Status prepare_step(size_t index);
  Status allocate_output(size_t slot);
  std::byte* address(const PlanValue& value);
  Tensor view(const PlanValue& value);
  Datum datum_of(const PlanValue& value);
  void apply(const std::vector<Patch>& patches);
  Status bind_input(size_t i, const Datum& datum);
  Status bind_outputs();
  Status run_step(size_t index);
  Status run_reference(size_t index);
  Status run_control_flow(size_t index);
  Status store(size_t index, size_t output, Datum datum);
  Result<Datum> keep(size_t index, const Datum& datum) const;
  void report_values(size_t index, const RunHooks& hooks);
  Result<std::vector<Datum>> collect_outputs();

  std::shared_ptr<const Plan> plan_;
  ThreadPool* pool_;
  std::shared_ptr<std::byte> arena_;
  std::vector<StepState> states_;
  std::vector<Datum> inputs_;    // bound inputs
  std::vector<Tensor> staging_;  // copies of inputs that are not aligned
  std::vector<const std::byte*> input_addresses_;
  std::vector<std::shared_ptr<std::byte>> output_buffers_;
  std::vector<Datum> heap_;
  std::vector<std::vector<Patch>> input_patches_, output_patches_;
};

}  // namespace edgewright
