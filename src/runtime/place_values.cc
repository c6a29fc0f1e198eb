#include "runtime/place_values.h"

#include <algorithm>

#include "kernels/copy/joint.h"
#include "runtime/memory_plan.h"

namespace edgewright {
namespace {

constexpr int32_t kNever = -1;

// What is known of the memory behind one value that is no alias.
struct Root {
  int32_t first = kNever;  // the step that makes it
  int32_t last = kNever;   // the last step that reads it; steps.size() for a plan output
  bool is_output = false;
  int32_t buffer = -1;  // the first value of the chain of values that overwrite each other

  // Of a buffer that is a part of a larger one: that one, and the bytes before it there.
  int32_t whole = -1;
  size_t within = 0;
};

class Placer {
 public:
  Placer(Plan& plan, std::span<const int32_t> alias_of) : plan_(plan), root_of_(alias_of.size()) {
    for (size_t i = 0; i < alias_of.size(); ++i) {
      // An alias comes after the value that it shares bytes with.
      root_of_[i] = alias_of[i] < 0 ? static_cast<int32_t>(i) : root_of_[index(alias_of[i])];
    }
    roots_.resize(alias_of.size());
  }

  void run() {
    mark_inputs();
    measure_lifetimes();
    join_in_place();
    join_parts();
    place_outputs();
    place_arena();
    place_parts();
    copy_to_aliases();
    release_heap_slots();
    drop_unread_constants();
  }

 private:
  static size_t scratch_bytes(const PlanStep& step) {
    return step.kernel == nullptr ? 0 : step.kernel->scratch_size_bytes();
  }
  static size_t index(int32_t value) { return static_cast<size_t>(value); }
  PlanValue& value(int32_t i) { return plan_.values[index(i)]; }
  Root& root(int32_t i) { return roots_[index(root_of_[index(i)])]; }
  bool in_arena(int32_t i) {
    return value(i).storage == Storage::kNone && roots_[index(i)].first != kNever;
  }

  template <class Visit>
  void for_each_read(const PlanStep& step, Visit visit) {
    for (const int32_t input : step.inputs) {
      if (input >= 0) visit(input);
    }
    for (const NestedPlan& body : step.bodies) {
      for (const int32_t captured : body.captures) visit(captured);
    }
  }

  void mark_inputs();
  void measure_lifetimes();
  void join_in_place();
  bool may_overwrite(const PlanStep& step, size_t position, int32_t at_step);
  void join_parts();
  void join_parts_of(const PlanStep& step, int32_t at_step, std::vector<int32_t>& joined);
  bool may_be_part(int32_t part, int32_t whole, bool split, int32_t at_step);
  int32_t outermost(int32_t buffer) const;
  std::vector<Lifetime> lifetimes(std::vector<int32_t>& block_of);
  void place_outputs();
  void place_arena();
  void place_parts();
  void copy_to_aliases();
  void release_heap_slots();
  void drop_unread_constants();

  Plan& plan_;
  std::vector<int32_t> root_of_;
  std::vector<Root> roots_;
};

void Placer::mark_inputs() {
  for (size_t i = 0; i < plan_.inputs.size(); ++i) {
    PlanValue& input = value(plan_.inputs[i]);
    if (!input.is_static()) continue;
    input.storage = Storage::kInput;
    input.slot = static_cast<uint32_t>(i);
  }
}

void Placer::measure_lifetimes() {
  for (size_t s = 0; s < plan_.steps.size(); ++s) {
    const auto now = static_cast<int32_t>(s);
    for_each_read(plan_.steps[s], [&](int32_t input) { root(input).last = now; });
    for (const int32_t output : plan_.steps[s].outputs) {
      if (output < 0) continue;
      root(output).first = root(output).last = now;
    }
  }
  for (const int32_t output : plan_.outputs) {
    root(output).last = static_cast<int32_t>(plan_.steps.size());
    root(output).is_output = true;
  }
}

// Output 0 may lie over this input: the step is the last reader, and no other input shares it.
bool Placer::may_overwrite(const PlanStep& step, size_t position, int32_t at_step) {
  const uint32_t allowed = step.implementation->in_place_inputs;
  if ((allowed >> position & 1) == 0 || step.inputs[position] < 0 || step.outputs[0] < 0)
    return false;
  const int32_t from = root_of_[index(step.inputs[position])];
  if (!in_arena(from) || root(from).last != at_step || root(from).is_output ||
      value(from).size_bytes != value(step.outputs[0]).size_bytes) {
    return false;
  }
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const bool same = step.inputs[i] >= 0 && root_of_[index(step.inputs[i])] == from;
    if (same && (i >= 32 || (allowed >> i & 1) == 0)) return false;
  }
  return true;
}

void Placer::join_in_place() {
  for (size_t i = 0; i < roots_.size(); ++i) roots_[i].buffer = static_cast<int32_t>(i);
  for (size_t s = 0; s < plan_.steps.size(); ++s) {
    const PlanStep& step = plan_.steps[s];
    if (step.kind != StepKind::kKernel || step.outputs.empty()) continue;
    for (size_t i = 0; i < std::min<size_t>(step.inputs.size(), 32); ++i) {
      if (!may_overwrite(step, i, static_cast<int32_t>(s))) continue;
      root(step.outputs[0]).buffer = root(step.inputs[i]).buffer;
      break;
    }
  }
}

// The buffer that this one lies in after all.
int32_t Placer::outermost(int32_t buffer) const {
  while (roots_[index(buffer)].whole >= 0) buffer = roots_[index(buffer)].whole;
  return buffer;
}

// Whether a part of a Concat's result, or of what a Split takes, may lie inside of the whole: the
// step is the last reader of what it takes, so that nobody sees one change with the other.
bool Placer::may_be_part(int32_t part, int32_t whole, bool split, int32_t at_step) {
  if (part < 0) return false;
  const int32_t r = root_of_[index(part)];
  const Root& info = roots_[index(r)];
  return in_arena(r) && !info.is_output && value(r).size_bytes == value(part).size_bytes &&
         (split ? info.first == at_step : info.last == at_step) &&
         roots_[index(info.buffer)].whole < 0 && outermost(root(whole).buffer) != info.buffer;
}

void Placer::join_parts_of(const PlanStep& step, int32_t at_step, std::vector<int32_t>& joined) {
  const bool split = step.op == "Split";
  const int32_t whole = split ? step.inputs[0] : step.outputs[0];
  if (whole < 0 || !in_arena(root_of_[index(whole)])) return;
  if (split && (root(whole).last != at_step || root(whole).is_output)) return;
  size_t within = 0;
  for (const int32_t part : split ? step.outputs : step.inputs) {
    if (within % kTensorAlignment == 0 && may_be_part(part, whole, split, at_step)) {
      const int32_t buffer = root(part).buffer;
      roots_[index(buffer)].whole = root(whole).buffer;
      roots_[index(buffer)].within = within;
      joined.push_back(buffer);
    }
    if (part < 0) return;
    within += value(part).size_bytes;
  }
}

// Where a Concat or Split only puts its parts end to end, they are made there, and nothing is
// copied. Not where that would need more memory: the whole is taken as long as any of its parts.
void Placer::join_parts() {
  std::vector<int32_t> block_of;
  size_t live_bytes = live_set_bytes(lifetimes(block_of));
  for (size_t s = 0; s < plan_.steps.size(); ++s) {
    const PlanStep& step = plan_.steps[s];
    if (step.kind != StepKind::kKernel || !is_end_to_end(request_of(plan_, step))) continue;
    std::vector<int32_t> joined;
    join_parts_of(step, static_cast<int32_t>(s), joined);
    if (joined.empty()) continue;
    const size_t with_parts = live_set_bytes(lifetimes(block_of));
    if (with_parts <= live_bytes) {
      live_bytes = with_parts;
      continue;
    }
    for (const int32_t buffer : joined) roots_[index(buffer)].whole = -1;
  }
}

// A plan output that a step makes is made in the caller's tensor right away.
void Placer::place_outputs() {
  std::vector<bool> taken(roots_.size());
  for (size_t k = 0; k < plan_.outputs.size(); ++k) {
    const int32_t r = root_of_[index(plan_.outputs[k])];
    if (!in_arena(r) || value(r).layout != Layout::kPlain) continue;
    const int32_t buffer = root(r).buffer;
    if (taken[index(buffer)]) continue;
    taken[index(buffer)] = true;
    for (size_t i = 0; i < roots_.size(); ++i) {
      if (roots_[i].buffer != buffer || root_of_[i] != static_cast<int32_t>(i)) continue;
      plan_.values[i].storage = Storage::kOutput;
      plan_.values[i].slot = static_cast<uint32_t>(k);
    }
  }
}

// When each outermost buffer of the arena is in use, then each step's working memory, where it has
// some. `block_of` gives, per value, the block of the buffer that it is.
std::vector<Lifetime> Placer::lifetimes(std::vector<int32_t>& block_of) {
  std::vector<Lifetime> blocks;
  block_of.assign(roots_.size(), -1);
  for (size_t i = 0; i < roots_.size(); ++i) {
    const auto v = static_cast<int32_t>(i);
    if (root_of_[i] != v || !in_arena(v)) continue;
    const int32_t buffer = outermost(roots_[i].buffer);
    if (!in_arena(buffer)) continue;  // a part of a plan output
    int32_t& block = block_of[index(buffer)];
    if (block < 0) {
      block = static_cast<int32_t>(blocks.size());
      blocks.push_back({value(buffer).size_bytes, roots_[i].first, roots_[i].last});
    }
    Lifetime& lifetime = blocks[index(block)];
    lifetime.first = std::min(lifetime.first, roots_[i].first);
    lifetime.last = std::max(lifetime.last, roots_[i].last);
  }
  for (size_t s = 0; s < plan_.steps.size(); ++s) {
    const auto at = static_cast<int32_t>(s);
    const size_t size_bytes = scratch_bytes(plan_.steps[s]);
    if (size_bytes > 0) blocks.push_back({size_bytes, at, at});
  }
  return blocks;
}

void Placer::place_arena() {
  std::vector<int32_t> block_of;
  const std::vector<Lifetime> blocks = lifetimes(block_of);
  const MemoryPlan memory = plan_memory(blocks);
  plan_.arena_bytes = memory.arena_bytes;
  plan_.live_set_bytes = memory.live_set_bytes;
  for (size_t i = 0; i < roots_.size(); ++i) {
    const auto v = static_cast<int32_t>(i);
    const int32_t buffer = roots_[i].buffer;
    if (root_of_[i] != v || !in_arena(v) || roots_[index(buffer)].whole >= 0) continue;
    plan_.values[i].offset = memory.offsets[index(block_of[index(buffer)])];
  }
  for (size_t i = 0; i < roots_.size(); ++i) {
    const auto v = static_cast<int32_t>(i);
    if (root_of_[i] == v && in_arena(v) && roots_[index(roots_[i].buffer)].whole < 0) {
      plan_.values[i].storage = Storage::kArena;
    }
  }
  auto works = [](const PlanStep& step) { return scratch_bytes(step) > 0; };
  auto offset = memory.offsets.end() - std::ranges::count_if(plan_.steps, works);
  for (PlanStep& step : plan_.steps) {
    if (works(step)) step.scratch_offset = *offset++;
  }
}

// Parts lie where the buffer around them was placed.
void Placer::place_parts() {
  for (size_t i = 0; i < roots_.size(); ++i) {
    const auto v = static_cast<int32_t>(i);
    if (root_of_[i] != v || !in_arena(v)) continue;
    size_t within = 0;
    int32_t buffer = roots_[i].buffer;
    for (; roots_[index(buffer)].whole >= 0; buffer = roots_[index(buffer)].whole) {
      within += roots_[index(buffer)].within;
    }
    const PlanValue& around = value(buffer);
    plan_.values[i].storage = around.storage;
    plan_.values[i].slot = around.slot;
    plan_.values[i].offset = around.offset + within;
  }
}

void Placer::copy_to_aliases() {
  for (size_t i = 0; i < root_of_.size(); ++i) {
    if (root_of_[i] == static_cast<int32_t>(i)) continue;
    const PlanValue& from = value(root_of_[i]);
    plan_.values[i].storage = from.storage;
    plan_.values[i].slot = from.slot;
    plan_.values[i].offset = from.offset;
  }
}

void Placer::release_heap_slots() {
  for (size_t i = 0; i < plan_.values.size(); ++i) {
    const Root& info = roots_[i];
    if (plan_.values[i].storage != Storage::kHeap || info.is_output || info.last == kNever)
      continue;
    plan_.steps[index(info.last)].released.push_back(plan_.values[i].slot);
  }
}

void Placer::drop_unread_constants() {
  std::vector<bool> read(plan_.constants.size());
  const auto note = [&](int32_t i) {
    if (i >= 0 && value(i).storage == Storage::kConstant) read[value(i).slot] = true;
  };
  for (const PlanStep& step : plan_.steps) {
    if (step.kind == StepKind::kKernel && step.implementation->pack != nullptr) continue;
    for_each_read(step, note);
  }
  for (const int32_t output : plan_.outputs) note(output);
  for (size_t c = 0; c < read.size(); ++c) {
    if (!read[c]) plan_.constants[c] = Tensor();
  }
}

}  // namespace

void place_values(Plan& plan, std::span<const int32_t> alias_of) { Placer(plan, alias_of).run(); }

bool parts_lie_in_place(const Plan& plan, const PlanStep& step) {
  if (step.kind != StepKind::kKernel || !is_end_to_end(request_of(plan, step))) return false;
  const auto value = [&](int32_t i) -> const PlanValue& {
    return plan.values[static_cast<size_t>(i)];
  };
  const bool split = step.op == "Split";
  const PlanValue& whole = value(split ? step.inputs[0] : step.outputs[0]);
  size_t offset = whole.offset;
  for (const int32_t i : split ? step.outputs : step.inputs) {
    if (i < 0) return false;
    const PlanValue& part = value(i);
    if (part.storage != whole.storage || part.slot != whole.slot || part.offset != offset) {
      return false;
    }
    offset += part.size_bytes;
  }
  return true;
}

}  // namespace edgewright
