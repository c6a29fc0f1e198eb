#include "api/node_opener.h"

#include <algorithm>
#include <numeric>

#include "api/calibration_data.h"
#include "api/engine.h"
#include "api/export_formats.h"
#include "api/open_backend.h"
#include "formats/onnx/schema_functions.h"
#include "formats/onnx/type_inference.h"
#include "graph/node_facts.h"
#include "profile/cost_model.h"
#include "quantize/calibrate.h"
#include "split/halves.h"

namespace edgewright {
namespace {

// Definitions may hold operators that are functions themselves; ONNX nests them four deep at most.
constexpr int kMaxDepth = 4;
constexpr double kSigmoidFactor = 1.702, kCubeFactor = 0.044715;
constexpr double kSqrtTwoOverPi = 0.79788456080286535588;

// Adds nodes before one that they replace.
class Replacement {
 public:
  Replacement(Graph& graph, Node& node) : graph_(graph), node_(node) {}

  Value* add(std::string op, std::vector<Value*> inputs) {
    Node* made = graph_.add_node(std::move(op), std::move(inputs),
                                 {node_.outputs[0]->name + "/gelu"}, {}, "", &node_);
    made->outputs[0]->type = node_.outputs[0]->type;
    return made->outputs[0];
  }
  Value* number(double value) {
    const auto narrow = static_cast<float>(value);
    const DType dtype = node_.outputs[0]->type.dtype;
    Tensor tensor = dtype == DType::kFloat16   ? Tensor::scalar(Half(narrow))
                    : dtype == DType::kFloat64 ? Tensor::scalar(value)
                                               : Tensor::scalar(narrow);
    return graph_.add_constant("gelu_factor", std::move(tensor));
  }
  void finish(Value* value) {
    graph_.replace_uses(node_.outputs[0], value);
    graph_.erase(&node_);
  }

 private:
  Graph& graph_;
  Node& node_;
};

// The forms of targets/gelu.h in operators that every target has. x^3 is two products: not every
// target has powers.
void open_gelu(Graph& graph, Node& node, GeluForm form) {
  Replacement made(graph, node);
  Value* x = node.inputs[0];
  if (form == GeluForm::kSigmoid) {
    Value* gate = made.add("Sigmoid", {made.add("Mul", {x, made.number(kSigmoidFactor)})});
    made.finish(made.add("Mul", {x, gate}));
    return;
  }
  Value* cube = made.add("Mul", {made.add("Mul", {x, x}), x});
  Value* inner = made.add("Add", {x, made.add("Mul", {cube, made.number(kCubeFactor)})});
  Value* tanh = made.add("Tanh", {made.add("Mul", {inner, made.number(kSqrtTwoOverPi)})});
  Value* half = made.add("Mul", {x, made.number(0.5)});
  made.finish(made.add("Add", {half, made.add("Mul", {half, tanh})}));
}

GeluForm own_form(const Node& gelu) {
  const bool is_by_tanh = gelu.attributes.get_string("approximate", "none") == "tanh";
  return is_by_tanh ? GeluForm::kTanh : GeluForm::kErf;
}

Result<bool> open_one(Graph& graph, Node& node, GeluForm form) {
  if (!node.is("Gelu") || form == GeluForm::kErf) return function_expander()(graph, node);
  // bfloat16 has no scalar constants here; its definition casts them.
  if (node.outputs[0]->type.dtype == DType::kBfloat16) return function_expander()(graph, node);
  open_gelu(graph, node, form);
  return true;
}

// Casts around a node, whose inputs and outputs of type `from` become `to`.
void recast(Graph& graph, Node& node, DType from, DType to) {
  Attributes there, back;
  there.set("to", static_cast<int64_t>(to));
  back.set("to", static_cast<int64_t>(from));
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    Value* input = node.inputs[i];
    if (input == nullptr || input->type.dtype != from) continue;
    Node* cast = graph.add_node("Cast", {input}, {input->name + "/cast"}, there, "", &node);
    cast->outputs[0]->type = ValueType::tensor(to, input->type.shape);
    graph.set_input(&node, i, cast->outputs[0]);
  }
  const auto after = std::next(node.position);
  Node* before = after == graph.nodes().end() ? nullptr : &*after;
  for (Value* output : node.outputs) {
    if (output == nullptr || output->type.dtype != from) continue;
    // The uses move first: the cast itself reads what the node makes.
    Node* cast = graph.add_node("Cast", {output}, {output->name + "/cast"}, back, "", before);
    cast->outputs[0]->type = output->type;
    graph.replace_uses(output, cast->outputs[0]);
    graph.set_input(cast, 0, output);
    output->type.dtype = to;
  }
}

}  // namespace

const GeluLimits::Range& GeluLimits::range_of(const Node& gelu) const {
  const auto it = observed.find(gelu.inputs[0]->name);
  return it == observed.end() ? assumed : it->second;
}

// What an error within the limit may replace, cheapest first. The definition is always exact.
std::vector<GeluForm> NodeOpener::forms_of(const Node& node) const {
  if (!node.is("Gelu")) return {GeluForm::kErf};
  const GeluLimits::Range& range = gelu_.range_of(node);
  std::vector<GeluForm> forms;
  for (const GeluForm form : {GeluForm::kSigmoid, GeluForm::kTanh, GeluForm::kErf}) {
    // A model that asks for the tanh form is not made to compute erf.
    if (form == GeluForm::kErf && own_form(node) == GeluForm::kTanh) continue;
    if (form == own_form(node) || gelu_error(form, range.low, range.high) <= gelu_.max_error) {
      forms.push_back(form);
    }
  }
  return forms;
}

const NodeOpener::Entry& NodeOpener::entry_of(const Node& node) {
  std::string key = node.domain + "::" + node.op;
  for (const Value* input : node.inputs) {
    key += input == nullptr ? "|" : "|" + type_text(input->type);
  }
  for (const GeluForm form : forms_of(node)) key += fmt::format("|{}", gelu_form_name(form));
  const auto [at, is_fresh] = known_.try_emplace(std::move(key));
  if (is_fresh) at->second = open(node);
  return at->second;
}

NodeOpener::Entry NodeOpener::open(const Node& node) const {
  Entry best;
  for (const GeluForm form : forms_of(node)) {
    const Entry entry = open_in(node, form);
    const bool is_better =
        !best.opened.possible || entry.opened.cost_factor < best.opened.cost_factor;
    if (entry.opened.possible && is_better) best = entry;
  }
  return best;
}

NodeOpener::Entry NodeOpener::open_in(const Node& node, GeluForm form) const {
  Model part = alone(node);
  if (part.graph->nodes().size() != 1) return {};
  if (!onnx_type_inferer().infer(*part.graph).ok()) return {};
  const double whole_us = cost_of(*part.graph);
  const auto opened = open_one(*part.graph, part.graph->nodes().front(), form);
  if (!opened.ok() || !*opened || !open_rest(part, {})) return {};
  Entry entry;
  entry.form = form;
  entry.opened.possible = std::ranges::all_of(
      part.graph->nodes(), [this](const Node& inner) { return runs_there(inner); });
  entry.opened.cost_factor = whole_us > 0 ? std::max(1.0, cost_of(*part.graph) / whole_us) : 1;
  return entry;
}

bool NodeOpener::runs_there(const Node& node) const {
  const SupportRow* row = find_support(target_, node);
  return row != nullptr &&
         (row->level == SupportLevel::kNative || row->level == SupportLevel::kDecompose);
}

// Folds what definitions left to compute, and opens of what came out what the target lacks. Nodes
// that make a value of `kept` stay. False where a graph results that is none.
bool NodeOpener::open_rest(Model& model, const std::set<std::string>& kept) const {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    if (!fold_definitions(model).ok()) return false;
    bool any = false;
    for (Node* node : model.graph->node_list()) {
      const Value* output = node->output(0);
      if (output != nullptr && kept.contains(output->name)) continue;
      const SupportRow* row = find_support(target_, *node);
      if (row != nullptr && row->level == SupportLevel::kNative) continue;
      // What the table opens itself stays where it has no definition here.
      const auto opened = open_one(*model.graph, *node, GeluForm::kErf);
      if (!opened.ok()) return false;
      any = any || *opened;
    }
    if (!any) return true;
  }
  return fold_definitions(model).ok();
}

// The node as a model of its own.
Model NodeOpener::alone(const Node& node) const {
  std::vector<std::string> takes, gives;
  for (const Value* input : node.inputs) {
    if (input != nullptr && input->producer != nullptr) takes.push_back(input->name);
  }
  for (const Value* output : node.outputs) {
    if (output != nullptr) gives.push_back(output->name);
  }
  std::ranges::sort(takes);
  takes.erase(std::unique(takes.begin(), takes.end()), takes.end());
  return model_part(model_, takes, gives);
}

double NodeOpener::cost_of(const Graph& graph) const {
  double sum = 0;
  for (const NodeCost& cost : predict(graph, roofs_)) sum += cost.time_us + launch_us_;
  return sum;
}

namespace {

// What is done to nodes of one kind, for the choices of a report.
struct Done {
  std::string op, chosen, why;
  int64_t nodes = 0;
};
void count(std::map<std::string, Done>& done, const Node& node, std::string chosen,
           const std::string& why) {
  Done& entry = done[node.op + "/" + chosen];
  entry = {node.op, std::move(chosen), why, entry.nodes + 1};
}

}  // namespace

Result<bool> NodeOpener::apply(Model& model, const TargetReport& report, int file_opset,
                               std::vector<Choice>& choices) {
  bool is_approximate = false;
  std::map<std::string, Done> done;
  std::set<std::string> kept;
  std::vector<std::pair<Node*, GeluForm>> opening;
  std::vector<std::pair<Node*, DType>> casting;
  size_t index = 0;
  for (Node& node : model.graph->nodes()) {
    const NodePlacement& placed = report.nodes[index++];
    // What the target has, its importer knows by the parts of the definition.
    const bool is_there = placed.placement == "native" || placed.placement == "fuse";
    const bool is_too_young = !is_there && node.domain.empty() && first_opset(node.op) > file_opset;
    if ((placed.placement == "decompose" || is_too_young) && opened(node).possible) {
      const GeluForm form = gelu_form(node);
      is_approximate = is_approximate || (node.is("Gelu") && form != own_form(node));
      opening.emplace_back(&node, form);
      count(done, node,
            node.is("Gelu") ? fmt::format("its {} form", gelu_form_name(form))
                            : std::string("its ONNX definition"),
            placed.reason);
      continue;
    }
    if (const auto to = placed.placement == "cast" ? type_that_runs(target_, node) : std::nullopt) {
      casting.emplace_back(&node, *to);
      count(done, node, fmt::format("in {}", dtype_name(*to)), placed.reason);
    }
    for (const Value* output : node.outputs) {
      if (output != nullptr) kept.insert(output->name);
    }
  }
  for (const auto& [node, to] : casting) recast(*model.graph, *node, main_dtype(*node), to);
  for (const auto& [node, form] : opening) {
    EDGEWRIGHT_ASSIGN(const bool is_open, open_one(*model.graph, *node, form));
    EDGEWRIGHT_CHECK(is_open);
  }
  if (!opening.empty() && !open_rest(model, kept)) {
    return unsupported("what the plan for {} puts in place of operators does not hold here",
                       report.framework);
  }
  for (const auto& [key, entry] : done) {
    choices.push_back(
        {entry.op, entry.chosen, "as it is", fmt::format("{} nodes; {}", entry.nodes, entry.why)});
  }
  return is_approximate;
}

Result<std::map<std::string, GeluLimits::Range>> observe_gelu_ranges(const Graph& graph,
                                                                     const std::string& data,
                                                                     int threads) {
  std::set<std::string> names;
  for (const Node& node : graph.nodes()) {
    const bool is_gelu = node.is("Gelu") && !node.inputs[0]->is_constant();
    if (is_gelu) names.insert(node.inputs[0]->name);
  }
  std::map<std::string, GeluLimits::Range> ranges;
  if (names.empty()) return ranges;
  EDGEWRIGHT_ASSIGN(const CalibrationData samples, load_calibration_data(graph, data));
  std::vector<size_t> all(samples.samples.size());
  std::iota(all.begin(), all.end(), size_t{0});
  PlanRunner runner(samples, threads);
  EDGEWRIGHT_ASSIGN(const Observations seen,
                    observe(graph, {names.begin(), names.end()}, runner, all, 0.01));
  for (const auto& [name, histogram] : seen) ranges[name] = {histogram.min(), histogram.max()};
  return ranges;
}

}  // namespace edgewright
