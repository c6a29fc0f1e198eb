// What a plan must keep so that running it reads and writes only its own memory.
#include <limits>

#include "runtime/plan_file.h"

namespace edgewright {
namespace {

class Checker {
 public:
  explicit Checker(const Plan& plan) : plan_(plan) {}

  Status check() const {
    if (plan_.threads < 1 || plan_.threads > 1024) return broken("the number of threads");
    if (plan_.arena_bytes > static_cast<size_t>(kMaxTensorBytes)) return broken("the arena's size");
    // Slots are only as many as values, so that a number alone cannot take memory.
    if (plan_.heap_slots > plan_.values.size()) return broken("the number of heap slots");
    EDGEWRIGHT_TRY(check_ports());
    for (const PlanValue& value : plan_.values) {
      if (!is_placed_right(value)) return broken(fmt::format("the place of '{}'", value.name));
    }
    for (const PlanStep& step : plan_.steps) EDGEWRIGHT_TRY(check_step(step));
    return {};
  }

 private:
  static Error broken(std::string_view what) {
    return bad_input("damaged plan: {} is wrong", what);
  }
  const PlanValue& at(int32_t index) const { return plan_.values[static_cast<size_t>(index)]; }
  bool exists(int32_t index) const { return index >= 0 && index < std::ssize(plan_.values); }

  Status check_ports() const {
    for (size_t i = 0; i < plan_.inputs.size(); ++i) {
      if (!exists(plan_.inputs[i])) return broken("an input");
      const PlanValue& value = at(plan_.inputs[i]);
      const bool in_place = value.storage == Storage::kInput && value.slot == i;
      if (value.layout != Layout::kPlain || (!in_place && value.storage != Storage::kHeap)) {
        return broken("an input");
      }
    }
    for (const int32_t output : plan_.outputs) {
      if (!exists(output) || at(output).layout != Layout::kPlain ||
          at(output).storage == Storage::kNone || !is_held(at(output))) {
        return broken("an output");
      }
    }
    return {};
  }

  bool fits(const PlanValue& value, size_t size_bytes) const {
    return value.offset <= size_bytes && value.size_bytes <= size_bytes - value.offset;
  }

  bool is_placed_right(const PlanValue& value) const {
    switch (value.storage) {
      case Storage::kNone: return true;
      case Storage::kArena:
        return value.offset % kTensorAlignment == 0 && fits(value, plan_.arena_bytes);
      case Storage::kInput:
        return value.slot < plan_.inputs.size() &&
               at(plan_.inputs[value.slot]).storage == Storage::kInput &&
               fits(value, at(plan_.inputs[value.slot]).size_bytes);
      case Storage::kOutput: {
        if (value.slot >= plan_.outputs.size()) return false;
        const PlanValue& output = at(plan_.outputs[value.slot]);
        return output.storage == Storage::kOutput && output.slot == value.slot &&
               fits(value, output.size_bytes);
      }
      case Storage::kConstant: {
        if (value.slot >= plan_.constants.size()) return false;
        const Tensor& constant = plan_.constants[value.slot];
        return constant.empty_handle() ||
               (constant.dtype() == value.dtype && fits(value, constant.size_bytes()) &&
                checked_count(value) == constant.element_count());
      }
      case Storage::kHeap: return value.slot < plan_.heap_slots;
    }
    return false;
  }

  static int64_t checked_count(const PlanValue& value) {
    const auto count = checked_element_count(value.dims);
    return count.ok() ? *count : -1;
  }

  Status check_step(const PlanStep& step) const {
    const auto wrong = [&] { return broken(fmt::format("step '{}'", step.name)); };
    const bool is_kernel = step.kind == StepKind::kKernel;
    for (const int32_t input : step.inputs) {
      if (input == -1) continue;
      if (!exists(input) || !is_readable(step, at(input))) return wrong();
    }
    for (const int32_t output : step.outputs) {
      if (output == -1) continue;
      if (!exists(output)) return wrong();
      const Storage storage = at(output).storage;
      const bool is_static = storage == Storage::kArena || storage == Storage::kOutput;
      if (!is_static && (is_kernel || storage != Storage::kHeap)) return wrong();
      if (!is_kernel && at(output).layout != Layout::kPlain) return wrong();
    }
    for (const uint32_t slot : step.released) {
      if (slot >= plan_.heap_slots) return wrong();
    }
    if (is_kernel) {
      const size_t scratch_bytes = step.kernel->scratch_size_bytes();
      if (scratch_bytes > 0 &&
          (step.scratch_offset > plan_.arena_bytes || step.scratch_offset % kTensorAlignment != 0 ||
           scratch_bytes > plan_.arena_bytes - step.scratch_offset)) {
        return wrong();
      }
    }
    for (const NestedPlan& body : step.bodies) {
      if (body.captures.size() > body.plan->inputs.size()) return wrong();
      for (const int32_t captured : body.captures) {
        if (!exists(captured) || !is_readable(step, at(captured))) return wrong();
      }
      EDGEWRIGHT_TRY(check_plan(*body.plan));
    }
    return {};
  }

  bool is_readable(const PlanStep& step, const PlanValue& value) const {
    const bool is_kernel = step.kind == StepKind::kKernel;
    if (value.storage == Storage::kNone) return false;
    if (is_kernel) {
      if (value.storage == Storage::kHeap || value.dtype == DType::kString) return false;
    } else if (value.layout != Layout::kPlain) {
      return false;
    }
    return is_held(value) || (is_kernel && step.implementation->pack != nullptr);
  }

  // Constants that only packed kernels read are not in the plan.
  bool is_held(const PlanValue& value) const {
    if (value.storage != Storage::kConstant) return true;
    return value.slot < plan_.constants.size() && !plan_.constants[value.slot].empty_handle();
  }

  const Plan& plan_;
};

}  // namespace

Status check_plan(const Plan& plan) { return Checker(plan).check(); }

// Sizes follow from types and shapes; a value that cannot be reckoned is refused.
Status set_value_sizes(Plan& plan) {
  constexpr int64_t kMaxElements = std::numeric_limits<int64_t>::max() / 256;
  for (PlanValue& value : plan.values) {
    if (value.storage == Storage::kHeap) continue;
    Dims padded = value.dims;
    if (padded.size() > 1 && padded[1] >= 0 && padded[1] < kMaxElements) padded[1] += 15;
    const auto count = checked_element_count(padded);
    const bool is_constant = value.storage == Storage::kConstant;
    const bool has_bits = dtype_bits(value.dtype) > 0;
    if (!count.ok() || *count > kMaxElements || (!has_bits && !is_constant) ||
        (value.layout != Layout::kPlain && value.dims.size() < 2)) {
      return bad_input("damaged plan: the shape of '{}' is wrong", value.name);
    }
    value.size_bytes = has_bits ? stored_size_bytes(value.spec()) : 0;
  }
  return {};
}

}  // namespace edgewright
