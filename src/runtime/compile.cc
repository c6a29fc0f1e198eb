#include "runtime/compile.h"

#include <algorithm>
#include <unordered_map>

#include "runtime/control_flow.h"
#include "runtime/place_values.h"

namespace edgewright {
namespace {

constexpr int kMaxNesting = 64;
constexpr int kMaxExpansions = 1000;

std::string place(const Node& node) {
  return fmt::format("node '{}' ({}{}{})", node.name, node.domain,
                     node.domain.empty() ? "" : "::", node.op);
}

// Of a value in the arena; larger ones lie on the heap.
constexpr int64_t kMostElements = kMaxTensorBytes / 16;

std::optional<Dims> static_dims(const ValueType& type) {
  if (!type.is_tensor() || dtype_bits(type.dtype) == 0 || !type.shape.has_value()) return {};
  auto dims = known_dims(*type.shape);
  if (!dims.has_value()) return {};
  const auto count = checked_element_count(*dims);
  if (!count.ok() || *count > kMostElements) return {};
  return dims;
}

// Operators whose output is their first input's bytes under another name or shape.
constexpr std::string_view kAliases[] = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"};

class Compiler {
 public:
  Compiler(const CompileOptions& options, int depth) : options_(options), depth_(depth) {}

  Result<std::shared_ptr<const Plan>> compile(Graph& graph);

 private:
  Status compile_nodes(Graph& graph);
  Status compile_node(Node& node);
  Result<bool> compile_kernel(PlanStep& step, std::span<const Tensor* const> constants);
  Status compile_operator(const Node& node, PlanStep& step);
  Status compile_plain(const Node& node, PlanStep& step, std::span<const Tensor* const> constants);
  int32_t add_plain_copy(int32_t value);
  Status add_reorder(int32_t from, int32_t to);
  Status compile_control_flow(const Node& node, PlanStep& step);
  Status expand(Graph& graph, Node& node);
  Status read_layouts(const Node& node, const PlanStep& step);
  bool make_alias(const Node& node);
  bool make_reorder_alias(const Node& node);
  int32_t index_of(const Value* value);
  int32_t add_value(const Value& value);
  bool all_static(const PlanStep& step) const;
  PlanValue& at(int32_t index) { return plan_->values[static_cast<size_t>(index)]; }
  const PlanValue& at(int32_t index) const { return plan_->values[static_cast<size_t>(index)]; }

  const CompileOptions& options_;
  const int depth_;
  const Graph* graph_ = nullptr;
  std::shared_ptr<Plan> plan_ = std::make_shared<Plan>();
  std::unordered_map<const Value*, int32_t> index_;
  std::vector<const Value*> captures_;  // values of enclosing graphs, in the order of plan inputs
  std::vector<int32_t> alias_of_;       // per value: the value whose bytes it is, or -1
  std::vector<uint32_t> in_place_;      // per step: the inputs that output 0 may overwrite (bits)
  int expansions_ = 0;

  friend Status add_body(Compiler&, const Node&, PlanStep&, const std::string&, Graph&);
};

int32_t Compiler::add_value(const Value& value) {
  PlanValue made;
  made.name = value.name;
  if (const auto dims = static_dims(value.type)) {
    made.dtype = value.type.dtype;
    made.dims = *dims;
    made.size_bytes = stored_size_bytes(made.spec());
  } else {
    made.storage = Storage::kHeap;
    made.slot = plan_->heap_slots++;
    made.has_shape = value.type.is_tensor() && value.type.shape.has_value();
    if (value.type.is_tensor()) made.dtype = value.type.dtype;
    if (made.has_shape) {
      for (const Dim& dim : *value.type.shape) made.dims.push_back(dim.value);
    }
  }
  plan_->values.push_back(std::move(made));
  alias_of_.push_back(-1);
  const auto index = static_cast<int32_t>(plan_->values.size() - 1);
  index_[&value] = index;
  return index;
}

// The index of a value that a node reads; constants and captured values enter the plan here.
int32_t Compiler::index_of(const Value* value) {
  if (value == nullptr) return -1;
  if (const auto it = index_.find(value); it != index_.end()) return it->second;
  const int32_t index = add_value(*value);
  if (value->is_constant()) {
    // A string constant has no bytes to point at, but the executor holds it like the others.
    PlanValue& made = at(index);
    if (made.storage == Storage::kHeap) --plan_->heap_slots;
    made.storage = Storage::kConstant;
    made.slot = static_cast<uint32_t>(plan_->constants.size());
    made.dtype = value->constant->dtype();
    made.dims = value->constant->dims();
    made.size_bytes = value->constant->size_bytes();
    plan_->constants.push_back(*value->constant);
  } else {
    EDGEWRIGHT_CHECK(value->graph != graph_);
    captures_.push_back(value);
  }
  return index;
}

bool Compiler::all_static(const PlanStep& step) const {
  const auto is_static = [&](int32_t value) {
    return value < 0 || (at(value).is_static() && at(value).dtype != DType::kString);
  };
  return std::ranges::all_of(step.inputs, is_static) &&
         std::ranges::all_of(step.outputs, is_static);
}

// Layouts of a map of one pixel in which the channels lie as in the plain one.
bool lies_plain(Layout layout, int64_t channels) {
  if (layout == Layout::kNchw16c) return channels % 16 == 0;
  return layout == Layout::kPlain || layout == Layout::kNhwc;
}

bool Compiler::make_reorder_alias(const Node& node) {
  const int32_t from = index_of(node.inputs[0]);
  const Dims& dims = at(from).dims;
  const auto layouts = node.attributes.get_ints("output_layouts");
  if (!at(from).is_static() || dims.size() < 3 || layouts.size() != 1 ||
      !lies_plain(static_cast<Layout>(layouts[0]), dims[1]) ||
      !lies_plain(at(from).layout, dims[1]) ||
      std::any_of(dims.begin() + 2, dims.end(), [](int64_t dim) { return dim != 1; })) {
    return false;
  }
  const int32_t to = add_value(*node.outputs[0]);
  at(to).layout = static_cast<Layout>(layouts[0]);
  alias_of_[static_cast<size_t>(to)] = from;
  return true;
}

bool Compiler::make_alias(const Node& node) {
  if (node.is("Reorder", "edgewright")) return make_reorder_alias(node);
  if (!node.domain.empty() || std::ranges::find(kAliases, node.op) == std::end(kAliases)) {
    return false;
  }
  if (node.input(0) == nullptr || node.outputs.size() != 1 || node.outputs[0] == nullptr)
    return false;
  const int32_t from = index_of(node.inputs[0]);
  const auto dims = static_dims(node.outputs[0]->type);
  if (!at(from).is_static() || !dims.has_value() || at(from).layout != Layout::kPlain ||
      node.attributes.contains("output_layouts") || at(from).dtype != node.outputs[0]->type.dtype) {
    return false;
  }
  const int32_t to = add_value(*node.outputs[0]);
  if (at(to).size_bytes != at(from).size_bytes) {
    index_.erase(node.outputs[0]);
    plan_->values.pop_back();
    alias_of_.pop_back();
    return false;
  }
  alias_of_[static_cast<size_t>(to)] = from;
  return true;
}

// Nodes that the layout pass marked say how their values lie in memory.
Status Compiler::read_layouts(const Node& node, const PlanStep& step) {
  const auto outputs = node.attributes.get_ints("output_layouts");
  for (size_t i = 0; i < outputs.size() && i < step.outputs.size(); ++i) {
    if (step.outputs[i] < 0) continue;
    PlanValue& value = at(step.outputs[i]);
    if (!value.is_static()) {
      return unsupported(
          "{}: output {} is no value of at most {} elements, as a plan needs here; "
          "run a smaller batch",
          place(node), i, kMostElements);
    }
    if (outputs[i] < 0 || outputs[i] > static_cast<int>(Layout::kNchw8c)) {
      return internal_error("{}: output {} cannot have layout {}", place(node), i, outputs[i]);
    }
    value.layout = static_cast<Layout>(outputs[i]);
    value.size_bytes = stored_size_bytes(value.spec());
  }
  const auto inputs = node.attributes.get_ints("input_layouts");
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i] < 0) continue;
    const auto expected = i < inputs.size() ? static_cast<Layout>(inputs[i]) : Layout::kPlain;
    if (at(step.inputs[i]).layout != expected) {
      return internal_error("{}: input {} lies in layout {}, expected {}", place(node), i,
                            static_cast<int>(at(step.inputs[i]).layout),
                            static_cast<int>(expected));
    }
  }
  return {};
}

// Makes the step a kernel where an implementation accepts it.
Result<bool> Compiler::compile_kernel(PlanStep& step, std::span<const Tensor* const> constants) {
  if (!all_static(step)) return false;
  const bool is_reorder = step.op == "Reorder" && step.domain == "edgewright";
  if (!options_.tuned_kernels && !is_reorder) return false;
  KernelRequest request = request_of(*plan_, step);
  for (size_t i = 0; i < constants.size(); ++i) request.inputs[i].constant = constants[i];
  std::vector<const KernelImplementation*> candidates;
  for (const KernelImplementation* one : find_implementations(step.domain, step.op)) {
    if (one->supports(request)) candidates.push_back(one);
  }
  if (candidates.empty()) return false;
  step.implementation = candidates.front();
  if (options_.chooser != nullptr) {
    EDGEWRIGHT_ASSIGN(step.implementation, options_.chooser->choose(request, candidates));
  }
  if (step.implementation->pack != nullptr) {
    EDGEWRIGHT_ASSIGN(step.packed, step.implementation->pack(request));
    for (TensorSpec& input : request.inputs) input.constant = nullptr;
  }
  std::span<const std::byte> packed;
  if (!step.packed.empty_handle()) packed = step.packed.byte_span();
  EDGEWRIGHT_ASSIGN(step.kernel, step.implementation->create(request, packed));
  step.kind = StepKind::kKernel;
  return true;
}

int32_t Compiler::add_plain_copy(int32_t value) {
  PlanValue copy = at(value);
  copy.layout = Layout::kPlain;
  copy.size_bytes = stored_size_bytes(copy.spec());
  plan_->values.push_back(std::move(copy));
  alias_of_.push_back(-1);
  return static_cast<int32_t>(plan_->values.size() - 1);
}

Status Compiler::add_reorder(int32_t from, int32_t to) {
  PlanStep step;
  step.name = at(from).name;
  step.domain = "edgewright";
  step.op = "Reorder";
  step.inputs = {from};
  step.outputs = {to};
  EDGEWRIGHT_ASSIGN(const bool found, compile_kernel(step, {}));
  if (!found) {
    return unsupported("value '{}': no kernel brings layout {} to layout {}", at(from).name,
                       static_cast<int>(at(from).layout), static_cast<int>(at(to).layout));
  }
  plan_->steps.push_back(std::move(step));
  return {};
}

// An operator that nothing runs in the layouts that the graph asks for: on plain copies then.
Status Compiler::compile_plain(const Node& node, PlanStep& step,
                               std::span<const Tensor* const> constants) {
  for (int32_t& input : step.inputs) {
    if (input < 0 || at(input).layout == Layout::kPlain) continue;
    const int32_t copy = add_plain_copy(input);
    EDGEWRIGHT_TRY(add_reorder(input, copy));
    input = copy;
  }
  const std::vector<int32_t> outputs = step.outputs;
  for (int32_t& output : step.outputs) {
    if (output >= 0 && at(output).layout != Layout::kPlain) output = add_plain_copy(output);
  }
  EDGEWRIGHT_ASSIGN(const bool found, compile_kernel(step, constants));
  if (!found) {
    const ReferenceKernel* reference = find_reference_kernel(node.domain, node.op);
    if (reference == nullptr) return unsupported("{}: no kernel for this operator", place(node));
    step.reference = reference->run;
  }
  const std::vector<int32_t> made = step.outputs;
  plan_->steps.push_back(std::move(step));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (made[i] != outputs[i]) EDGEWRIGHT_TRY(add_reorder(made[i], outputs[i]));
  }
  return {};
}

Status Compiler::compile_operator(const Node& node, PlanStep& step) {
  std::vector<const Tensor*> constants;
  for (size_t i = 0; i < node.inputs.size(); ++i) constants.push_back(node.constant_input(i));
  EDGEWRIGHT_ASSIGN(const bool found, compile_kernel(step, constants));
  if (!found) return compile_plain(node, step, constants);
  plan_->steps.push_back(std::move(step));
  return {};
}

Status Compiler::compile_control_flow(const Node& node, PlanStep& step) {
  if (depth_ >= kMaxNesting) {
    return unsupported("{}: subgraphs are nested deeper than {} levels", place(node), kMaxNesting);
  }
  step.kind = StepKind::kControlFlow;
  for (const auto& [attribute, body] : node.subgraphs) {
    Compiler inner(options_, depth_ + 1);
    NestedPlan nested{attribute, nullptr, {}};
    EDGEWRIGHT_ASSIGN(nested.plan, inner.compile(*body));
    for (const Value* captured : inner.captures_) {
      const int32_t index = index_of(captured);
      if (at(index).layout != Layout::kPlain) {
        return internal_error("{}: captured value '{}' does not lie plain", place(node),
                              captured->name);
      }
      nested.captures.push_back(index);
    }
    step.bodies.push_back(std::move(nested));
  }
  return {};
}

Status Compiler::compile_node(Node& node) {
  if (make_alias(node)) return {};
  PlanStep step;
  step.name = node.name;
  step.domain = node.domain;
  step.op = node.op;
  step.attributes = node.attributes;
  for (const Value* input : node.inputs) step.inputs.push_back(index_of(input));
  for (const Value* output : node.outputs) {
    step.outputs.push_back(output == nullptr ? -1 : add_value(*output));
  }
  EDGEWRIGHT_TRY(read_layouts(node, step));
  if (!is_control_flow(node.domain, node.op)) return compile_operator(node, step);
  EDGEWRIGHT_TRY(compile_control_flow(node, step));
  plan_->steps.push_back(std::move(step));
  return {};
}

// Replaces a node that no kernel runs by its function body and compiles what comes instead.
Status Compiler::expand(Graph& graph, Node& node) {
  const std::string where = place(node);
  if (!options_.expander || ++expansions_ > kMaxExpansions) {
    return unsupported("{}: no kernel for this operator", where);
  }
  EDGEWRIGHT_ASSIGN(const bool expanded, options_.expander(graph, node));
  if (!expanded) return unsupported("{}: no kernel for this operator", where);
  return {};
}

bool runs(const Node& node) {
  return is_control_flow(node.domain, node.op) ||
         find_reference_kernel(node.domain, node.op) != nullptr ||
         !find_implementations(node.domain, node.op).empty();
}

Status Compiler::compile_nodes(Graph& graph) {
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    if (runs(*it)) {
      EDGEWRIGHT_TRY(compile_node(*it++));
      continue;
    }
    const bool first = it == graph.nodes().begin();
    const auto before = first ? it : std::prev(it);
    EDGEWRIGHT_TRY(expand(graph, *it));
    it = first ? graph.nodes().begin() : std::next(before);
  }
  return {};
}

Result<std::shared_ptr<const Plan>> Compiler::compile(Graph& graph) {
  graph_ = &graph;
  plan_->name = graph.name;
  plan_->threads = options_.threads;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant() && graph.parent == nullptr) continue;
    plan_->inputs.push_back(add_value(*input));
  }
  EDGEWRIGHT_TRY(compile_nodes(graph));
  for (const Value* output : graph.outputs()) plan_->outputs.push_back(index_of(output));
  for (const Value* captured : captures_) plan_->inputs.push_back(index_.at(captured));
  place_values(*plan_, alias_of_);
  return std::shared_ptr<const Plan>(std::move(plan_));
}

}  // namespace

Result<std::shared_ptr<const Plan>> compile(Graph& graph, const CompileOptions& options) {
  auto plan = Compiler(options, 0).compile(graph);
  while (options.chooser != nullptr && options.chooser->reconsider() && plan.ok()) {
    plan = Compiler(options, 0).compile(graph);
  }
  return plan;
}

}  // namespace edgewright
