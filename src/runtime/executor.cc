#include "runtime/executor.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "runtime/control_flow.h"
#include "runtime/interpreter.h"
#include "runtime/layout_copy.h"
#include "runtime/step_call.h"

namespace edgewright {
namespace {

std::string place(const PlanStep& step) {
  return fmt::format("step '{}' ({}{}{})", step.name, step.domain,
                     step.domain.empty() ? "" : "::", step.op);
}

// A larger arena is not taken on the word of a plan file alone.
constexpr size_t kMostFaultedIn = size_t{64} << 20;

// Taken whole where that wastes at most a quarter: one fault instead of 512, and fewer misses of
// the address translation while it runs.
constexpr size_t kHugePage = size_t{2} << 20;

// Takes the pages of working memory at once: one by one, when they are first touched, they take a
// good part of the first inference. Where the kernel cannot, nothing is lost.
void fault_in(std::byte* memory, size_t size_bytes) {
  if (size_bytes > kMostFaultedIn) return;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page;
  const auto end = (reinterpret_cast<uintptr_t>(memory) + size_bytes) / page * page;
#ifdef MADV_POPULATE_WRITE
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
#else
  static_cast<void>(begin < end);
#endif
}

Result<std::shared_ptr<std::byte>> allocate_aligned(size_t size_bytes) {
  const size_t huge = (size_bytes + kHugePage - 1) / kHugePage * kHugePage;
  const bool in_huge_pages = size_bytes <= kMostFaultedIn && huge - size_bytes <= size_bytes / 4;
  const size_t alignment = in_huge_pages ? kHugePage : kTensorAlignment;
  const size_t rounded = (size_bytes + alignment - 1) / alignment * alignment;
  if (rounded == 0 || rounded < size_bytes || rounded > static_cast<size_t>(kMaxTensorBytes)) {
    if (size_bytes == 0) return std::shared_ptr<std::byte>();
    return internal_error("{} bytes of working memory are more than is allowed", size_bytes);
  }
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(alignment, rounded));
  if (memory == nullptr) return internal_error("no memory for {} bytes", rounded);
#ifdef MADV_HUGEPAGE
  if (in_huge_pages) ::madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  fault_in(memory, rounded);
  return std::shared_ptr<std::byte>(memory, [](std::byte* pointer) { std::free(pointer); });
}

// What memory from malloc has, and so arrays of other libraries: vector kernels load from any
// address, for rows begin anywhere.
constexpr size_t kInputAlignment = 16;

bool is_aligned(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer) % kInputAlignment == 0;
}

}  // namespace

Result<std::unique_ptr<Executor>> Executor::create(std::shared_ptr<const Plan> plan,
                                                   ThreadPool* pool) {
  std::unique_ptr<Executor> executor(new Executor(std::move(plan), pool));
  EDGEWRIGHT_TRY(executor->prepare());
  return executor;
}

Status Executor::prepare() {
  EDGEWRIGHT_ASSIGN(arena_, allocate_aligned(plan_->arena_bytes));
  heap_.resize(plan_->heap_slots);
  inputs_.resize(plan_->inputs.size());
  staging_.resize(plan_->inputs.size());
  input_addresses_.resize(plan_->inputs.size());
  input_patches_.resize(plan_->inputs.size());
  output_buffers_.resize(plan_->outputs.size());
  output_patches_.resize(plan_->outputs.size());
  for (size_t slot = 0; slot < plan_->outputs.size(); ++slot) {
    EDGEWRIGHT_TRY(allocate_output(slot));
  }
  states_.resize(plan_->steps.size());
  for (size_t i = 0; i < plan_->steps.size(); ++i) EDGEWRIGHT_TRY(prepare_step(i));
  return {};
}

Status Executor::allocate_output(size_t slot) {
  const PlanValue& value = plan_->values[static_cast<size_t>(plan_->outputs[slot])];
  if (value.storage != Storage::kOutput || value.slot != slot) return {};
  EDGEWRIGHT_ASSIGN(output_buffers_[slot], allocate_aligned(value.size_bytes));
  return {};
}

std::byte* Executor::address(const PlanValue& value) {
  switch (value.storage) {
    case Storage::kArena: return arena_.get() + value.offset;
    case Storage::kInput:
      return const_cast<std::byte*>(input_addresses_[value.slot]) + value.offset;
    case Storage::kOutput: return output_buffers_[value.slot].get() + value.offset;
    case Storage::kConstant:
      return const_cast<std::byte*>(plan_->constants[value.slot].bytes()) + value.offset;
    case Storage::kNone:
    case Storage::kHeap: break;
  }
  return nullptr;
}

// A tensor over the place of a static value; it does not own the bytes.
Tensor Executor::view(const PlanValue& value) {
  return Tensor::view(value.dtype, value.dims, address(value), nullptr);
}

Datum Executor::datum_of(const PlanValue& value) {
  switch (value.storage) {
    case Storage::kHeap: return heap_[value.slot];
    case Storage::kInput:
      if (!inputs_[value.slot].is_tensor()) return {};
      return inputs_[value.slot].tensor().reshaped(value.dims);
    case Storage::kConstant: return plan_->constants[value.slot].reshaped(value.dims);
    default: return view(value);
  }
}

Status Executor::prepare_step(size_t index) {
  const PlanStep& step = plan_->steps[index];
  StepState& state = states_[index];
  const auto follow = [&](const PlanValue& value, size_t position, bool is_output) {
    const Patch patch{static_cast<uint32_t>(index), static_cast<uint32_t>(position), is_output};
    if (value.storage == Storage::kInput) input_patches_[value.slot].push_back(patch);
    if (value.storage == Storage::kOutput) output_patches_[value.slot].push_back(patch);
  };
  const bool is_kernel = step.kind == StepKind::kKernel;
  const bool packs = is_kernel && step.implementation->pack != nullptr;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    state.pointers.push_back(nullptr);
    state.data.emplace_back();
    if (step.inputs[i] < 0) continue;
    const PlanValue& value = plan_->values[static_cast<size_t>(step.inputs[i])];
    if (packs && value.storage == Storage::kConstant) continue;
    if (is_kernel) {
      state.pointers[i] = address(value);
    } else {
      state.data[i] = datum_of(value);
    }
    follow(value, i, false);
  }
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    state.targets.push_back(nullptr);
    state.results.emplace_back();
    if (step.outputs[i] < 0) continue;
    const PlanValue& value = plan_->values[static_cast<size_t>(step.outputs[i])];
    if (!value.is_static()) continue;
    state.targets[i] = address(value);
    if (!is_kernel) state.results[i] = view(value);
    follow(value, i, true);
  }
  if (is_kernel && step.kernel->scratch_size_bytes() > 0) {
    state.scratch = arena_.get() + step.scratch_offset;
  }
  for (const NestedPlan& body : step.bodies) {
    EDGEWRIGHT_ASSIGN(auto executor, create(body.plan, pool_));
    state.bodies.push_back(std::move(executor));
  }
  return {};
}

void Executor::apply(const std::vector<Patch>& patches) {
  for (const Patch& patch : patches) {
    const PlanStep& step = plan_->steps[patch.step];
    StepState& state = states_[patch.step];
    const auto& list = patch.is_output ? step.outputs : step.inputs;
    const PlanValue& value = plan_->values[static_cast<size_t>(list[patch.position])];
    const bool is_kernel = step.kind == StepKind::kKernel;
    if (patch.is_output) {
      state.targets[patch.position] = address(value);
      if (!is_kernel) state.results[patch.position] = view(value);
    } else if (is_kernel) {
      state.pointers[patch.position] = address(value);
    } else {
      state.data[patch.position] = datum_of(value);
    }
  }
}

Status Executor::bind_input(size_t i, const Datum& datum) {
  const PlanValue& value = plan_->values[static_cast<size_t>(plan_->inputs[i])];
  if (value.storage == Storage::kHeap) {
    heap_[value.slot] = datum;
    return {};
  }
  if (!datum.is_tensor() || datum.tensor().dtype() != value.dtype ||
      datum.tensor().dims() != value.dims) {
    const bool given = datum.is_tensor();
    return bad_input("input '{}' is {} {}, the plan is made for {} {}", value.name,
                     given ? dtype_name(datum.tensor().dtype()) : "no tensor",
                     given ? dims_text(datum.tensor().dims()) : "", dtype_name(value.dtype),
                     dims_text(value.dims));
  }
  inputs_[i] = datum;
  const std::byte* bytes = datum.tensor().bytes();
  if (!is_aligned(bytes)) {
    if (staging_[i].empty_handle()) {
      EDGEWRIGHT_ASSIGN(staging_[i], Tensor::allocate_uninitialised(value.dtype, value.dims));
    }
    std::memcpy(staging_[i].mutable_bytes(), bytes, value.size_bytes);
    bytes = staging_[i].bytes();
    inputs_[i] = staging_[i];
  }
  const bool moved = input_addresses_[i] != bytes;
  input_addresses_[i] = bytes;
  if (moved) apply(input_patches_[i]);
  return {};
}

Status Executor::bind_outputs() {
  for (size_t slot = 0; slot < output_buffers_.size(); ++slot) {
    if (output_buffers_[slot].use_count() <= 1) continue;
    EDGEWRIGHT_TRY(allocate_output(slot));
    apply(output_patches_[slot]);
  }
  return {};
}

Result<std::vector<Datum>> Executor::run(std::span<const Datum> inputs, const RunHooks* hooks) {
  if (inputs.size() != plan_->inputs.size()) {
    return bad_input("the plan takes {} inputs, {} were given", plan_->inputs.size(),
                     inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) EDGEWRIGHT_TRY(bind_input(i, inputs[i]));
  EDGEWRIGHT_TRY(bind_outputs());
  using Clock = std::chrono::steady_clock;
  auto* moments = hooks == nullptr ? nullptr : hooks->moments;
  if (moments != nullptr) moments->push_back(Clock::now());
  for (size_t i = 0; i < states_.size(); ++i) {
    EDGEWRIGHT_TRY(run_step(i));
    if (moments != nullptr) moments->push_back(Clock::now());
    if (hooks != nullptr && hooks->on_value) report_values(i, *hooks);
  }
  return collect_outputs();
}

Status Executor::run_step(size_t index) {
  const PlanStep& step = plan_->steps[index];
  StepState& state = states_[index];
  if (step.kind == StepKind::kKernel) {
    step.kernel->run({state.pointers, state.targets, state.scratch, pool_});
    return {};
  }
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i] < 0) continue;
    const PlanValue& value = plan_->values[static_cast<size_t>(step.inputs[i])];
    if (value.storage == Storage::kHeap) state.data[i] = heap_[value.slot];
  }
  const bool is_reference = step.kind == StepKind::kReference;
  Status status = is_reference ? run_reference(index) : run_control_flow(index);
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i] < 0) continue;
    const PlanValue& value = plan_->values[static_cast<size_t>(step.inputs[i])];
    if (value.storage == Storage::kHeap) state.data[i] = Datum();
  }
  for (const uint32_t slot : step.released) heap_[slot] = Datum();
  if (!status.ok()) return std::move(status).error().at(place(step));
  return {};
}

Status Executor::run_reference(size_t index) {
  const PlanStep& step = plan_->steps[index];
  StepState& state = states_[index];
  StepCall call(step, state.data, state.results);
  EDGEWRIGHT_TRY(step.reference(call));
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i] < 0) continue;
    EDGEWRIGHT_ASSIGN(std::optional<Datum> made, call.take(i));
    if (made.has_value()) EDGEWRIGHT_TRY(store(index, i, *std::move(made)));
  }
  return {};
}

Status Executor::run_control_flow(size_t index) {
  const PlanStep& step = plan_->steps[index];
  StepState& state = states_[index];
  std::vector<ControlFlowBody> bodies;
  for (size_t b = 0; b < step.bodies.size(); ++b) {
    const NestedPlan& nested = step.bodies[b];
    Executor* executor = state.bodies[b].get();
    ControlFlowBody body{nested.attribute, nested.plan->inputs.size() - nested.captures.size(),
                         output_types(*nested.plan), nullptr};
    body.run = [this, &nested, executor](std::span<const Datum> arguments) {
      std::vector<Datum> all(arguments.begin(), arguments.end());
      for (const int32_t captured : nested.captures) {
        all.push_back(datum_of(plan_->values[static_cast<size_t>(captured)]));
      }
      return executor->run(all);
    };
    bodies.push_back(std::move(body));
  }
  constexpr int64_t kIterationLimit = InterpreterLimits{}.loop_iterations;
  EDGEWRIGHT_ASSIGN(auto outputs,
                    edgewright::run_control_flow({step.op, &step.attributes, state.data,
                                                  step.outputs.size(), bodies, kIterationLimit}));
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i] >= 0) EDGEWRIGHT_TRY(store(index, i, std::move(outputs[i])));
  }
  return {};
}

// Puts what a reference kernel or a body made into the place of the step's output.
Status Executor::store(size_t index, size_t output, Datum datum) {
  const PlanStep& step = plan_->steps[index];
  const PlanValue& value = plan_->values[static_cast<size_t>(step.outputs[output])];
  if (value.storage == Storage::kHeap) {
    EDGEWRIGHT_ASSIGN(heap_[value.slot], keep(index, datum));
    return {};
  }
  if (!datum.is_tensor() || datum.tensor().dtype() != value.dtype ||
      datum.tensor().dims() != value.dims) {
    return internal_error("output '{}' came out as {}, expected {} {}", value.name,
                          datum.is_tensor() ? dims_text(datum.tensor().dims()) : "no tensor",
                          dtype_name(value.dtype), dims_text(value.dims));
  }
  if (value.size_bytes > 0) {
    std::memcpy(states_[index].targets[output], datum.tensor().bytes(), value.size_bytes);
  }
  return {};
}

// A datum for the heap: copied when it shares the memory of an input of the step, because that
// memory serves other values later.
Result<Datum> Executor::keep(size_t index, const Datum& datum) const {
  if (datum.is_sequence()) {
    std::vector<Datum> elements;
    for (const Datum& element : datum.elements()) {
      EDGEWRIGHT_ASSIGN(Datum kept, keep(index, element));
      elements.push_back(std::move(kept));
    }
    return Datum::sequence(std::move(elements));
  }
  if (!datum.is_tensor() || datum.tensor().dtype() == DType::kString) return datum;
  const std::byte* bytes = datum.tensor().bytes();
  const auto lies_in = [&](const std::byte* begin, size_t size_bytes) {
    return begin != nullptr && bytes >= begin && bytes < begin + size_bytes;
  };
  bool shared = lies_in(arena_.get(), plan_->arena_bytes);
  for (const int32_t input : plan_->inputs) {
    const PlanValue& value = plan_->values[static_cast<size_t>(input)];
    if (value.storage != Storage::kInput) continue;
    shared = shared || lies_in(input_addresses_[value.slot], value.size_bytes);
  }
  for (size_t slot = 0; slot < output_buffers_.size(); ++slot) {
    const PlanValue& value = plan_->values[static_cast<size_t>(plan_->outputs[slot])];
    shared = shared || lies_in(output_buffers_[slot].get(), value.size_bytes);
  }
  if (!shared) return datum;
  EDGEWRIGHT_ASSIGN(Tensor copy, clone(datum.tensor()));
  return Datum(std::move(copy));
}

void Executor::report_values(size_t index, const RunHooks& hooks) {
  for (const int32_t output : plan_->steps[index].outputs) {
    if (output < 0) continue;
    const PlanValue& value = plan_->values[static_cast<size_t>(output)];
    if (value.layout == Layout::kPlain) {
      hooks.on_value(value, datum_of(value));
    } else if (auto plain = plain_copy(value.spec(), address(value)); plain.ok()) {
      hooks.on_value(value, Datum(*std::move(plain)));
    }
  }
}

Result<std::vector<Datum>> Executor::collect_outputs() {
  std::vector<Datum> outputs;
  outputs.reserve(plan_->outputs.size());
  for (size_t slot = 0; slot < plan_->outputs.size(); ++slot) {
    const PlanValue& value = plan_->values[static_cast<size_t>(plan_->outputs[slot])];
    if (value.storage == Storage::kOutput && value.slot == slot) {
      outputs.emplace_back(
          Tensor::view(value.dtype, value.dims, address(value), output_buffers_[slot]));
    } else if (value.storage == Storage::kArena || value.storage == Storage::kOutput ||
               (value.storage == Storage::kInput && !staging_[value.slot].empty_handle())) {
      EDGEWRIGHT_ASSIGN(Tensor copy, clone(view(value)));
      outputs.emplace_back(std::move(copy));
    } else {
      outputs.push_back(datum_of(value));
    }
  }
  return outputs;
}

}  // namespace edgewright
