#include "verify/bisect.h"

#include <algorithm>
#include <limits>
#include <map>
#include <unordered_set>

namespace edgewright {
namespace {

using Names = std::vector<std::string>;

// Values that nodes of the outermost level make of the graph's inputs; what is made of constants
// alone is no layer.
std::vector<const Value*> layer_values(const Graph& graph) {
  std::unordered_set<const Value*> moving(graph.inputs().begin(), graph.inputs().end());
  std::vector<const Value*> values;
  for (const Node& node : graph.nodes()) {
    const bool moves =
        !node.subgraphs.empty() || std::ranges::any_of(node.inputs, [&](const Value* input) {
          return input != nullptr && !input->is_constant() && moving.contains(input);
        });
    if (!moves) continue;
    for (const Value* output : node.outputs) {
      if (output == nullptr) continue;
      moving.insert(output);
      if (output->type.is_tensor() && !output->name.empty()) values.push_back(output);
    }
  }
  return values;
}

// Names of such values that both graphs have, in the candidate's order.
Names matched_names(const Graph& reference, const Graph& candidate) {
  std::unordered_set<std::string> known;
  for (const Value* value : layer_values(reference)) known.insert(value->name);
  Names names;
  for (const Value* value : layer_values(candidate)) {
    if (known.contains(value->name)) names.push_back(value->name);
  }
  return names;
}

// Makes exactly these values the outputs of a graph, behind its own outputs.
void show(Graph& graph, const Names& names) {
  for (const std::string& name : names) graph.add_output(graph.find_value(name));
}

// Cuts the graph at these values: whoever read them reads a new input instead. Returns the inputs.
std::vector<Value*> cut(Graph& graph, const Names& names) {
  std::vector<Value*> inputs;
  const std::vector<Value*> outputs = graph.outputs();
  for (const std::string& name : names) {
    Value* value = graph.find_value(name);
    Value* input = graph.add_input(graph.fresh_name(name), value->type);
    graph.replace_uses(value, input, false);
    inputs.push_back(input);
  }
  graph.set_outputs(outputs);
  return inputs;
}

// The reference's way from matched values (and the graph's own inputs) to one of them.
struct Block {
  std::unique_ptr<Graph> graph;
  std::vector<std::string> arguments;  // names of matched values, or of graph inputs
};

Block block_of(const Graph& reference, const Names& matched, const std::string& name) {
  Block block;
  block.graph = clone(reference);
  Graph& graph = *block.graph;
  Names others;
  for (const std::string& other : matched) {
    if (other != name) others.push_back(other);
  }
  const std::vector<Value*> cuts = cut(graph, others);
  std::map<const Value*, std::string> names;
  for (size_t i = 0; i < cuts.size(); ++i) names[cuts[i]] = others[i];
  // Only the wanted value is shown, so that everything that does not lead to it goes.
  graph.set_outputs({graph.find_value(name)});
  graph.remove_dead();
  for (size_t i = graph.inputs().size(); i-- > 0;) {
    if (graph.inputs()[i]->uses.empty()) graph.remove_input(i);
  }
  for (const Value* input : graph.inputs()) {
    const auto it = names.find(input);
    block.arguments.push_back(it == names.end() ? input->name : it->second);
  }
  return block;
}

// The candidate with some of its layers computed as the reference does.
Result<std::unique_ptr<Graph>> hybrid(const Graph& reference, const Graph& candidate,
                                      const Names& matched, const Names& replaced) {
  auto graph = clone(candidate);
  std::map<std::string, Value*> current;
  for (const std::string& name : replaced) {
    const Block block = block_of(reference, matched, name);
    std::vector<Value*> arguments;
    for (const std::string& argument : block.arguments) {
      const auto it = current.find(argument);
      Value* value = it != current.end() ? it->second : graph->find_value(argument);
      if (value == nullptr) {
        return unsupported("layer '{}' of the reference reads '{}', which the candidate lacks",
                           name, argument);
      }
      arguments.push_back(value);
    }
    Value* old = graph->find_value(name);
    Value* made = inline_graph(*block.graph, arguments, *graph, nullptr).front();
    graph->replace_uses(old, made, false);
    current[name] = made;
  }
  EDGEWRIGHT_TRY(graph->sort_topologically());
  graph->remove_dead();
  return graph;
}

class Bisection {
 public:
  Bisection(const Graph& reference, const Graph& candidate, const std::vector<Datum>& inputs,
            const GraphRunner& run, const BisectOptions& options)
      : reference_(reference),
        candidate_(candidate),
        inputs_(inputs),
        run_(run),
        options_(options),
        matched_(matched_names(reference, candidate)) {}

  Result<BisectResult> find() {
    result_.layers_compared = static_cast<int64_t>(matched_.size());
    EDGEWRIGHT_TRY(run_reference());
    EDGEWRIGHT_ASSIGN(const bool equal, passes_with(0));
    if (equal) {
      result_.restored = true;
      return std::move(result_);
    }
    EDGEWRIGHT_TRY(rank());
    EDGEWRIGHT_ASSIGN(const size_t count, smallest_count());
    for (size_t i = 0; i < count; ++i) result_.layers.push_back(describe(ranking_[i]));
    return std::move(result_);
  }

 private:
  struct Ranked {
    std::string name;
    Difference local;
  };

  Result<std::vector<Datum>> run(std::unique_ptr<Graph> graph, const std::vector<Datum>& inputs) {
    ++result_.model_runs;
    if (options_.progress) {
      const auto done = static_cast<size_t>(result_.model_runs);
      options_.progress("bisect", done, done + 1);
    }
    return run_(std::move(graph), inputs);
  }

  Status run_reference() {
    auto graph = clone(reference_);
    show(*graph, matched_);
    EDGEWRIGHT_ASSIGN(auto all, run(std::move(graph), inputs_));
    const size_t outputs = reference_.outputs().size();
    for (size_t i = 0; i < matched_.size(); ++i) values_.push_back(std::move(all[outputs + i]));
    all.resize(outputs);
    expected_ = std::move(all);
    return {};
  }

  // Whether the outputs are right when the `count` worst layers come from the reference.
  Result<bool> passes_with(size_t count) {
    Names replaced;
    for (size_t i = 0; i < count; ++i) replaced.push_back(ranking_[i].name);
    EDGEWRIGHT_ASSIGN(auto graph, hybrid(reference_, candidate_, matched_, replaced));
    EDGEWRIGHT_ASSIGN(const auto found, run(std::move(graph), inputs_));
    if (found.size() != expected_.size()) {
      return bad_input("the candidate has {} outputs, the reference {}", found.size(),
                       expected_.size());
    }
    for (size_t i = 0; i < found.size(); ++i) {
      DifferenceGatherer gatherer;
      EDGEWRIGHT_TRY(gatherer.add(expected_[i], found[i]));
      if (!options_.tolerance.accepts(gatherer.difference())) return false;
    }
    return true;
  }

  // Every layer of the candidate on the reference's values, in one run.
  Status rank() {
    auto graph = clone(candidate_);
    const size_t own = graph->outputs().size();
    cut(*graph, matched_);
    show(*graph, matched_);
    std::vector<Datum> inputs = inputs_;
    inputs.insert(inputs.end(), values_.begin(), values_.end());
    EDGEWRIGHT_ASSIGN(const auto found, run(std::move(graph), inputs));
    for (size_t i = 0; i < matched_.size(); ++i) {
      DifferenceGatherer gatherer;
      // A layer of another shape or type is as wrong as can be.
      const bool comparable = gatherer.add(values_[i], found[own + i]).ok();
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      const Difference local =
          comparable ? gatherer.difference() : Difference{kInfinity, kInfinity, 0};
      if (local.max_abs > 0) ranking_.push_back({matched_[i], local});
    }
    std::ranges::stable_sort(ranking_, [](const Ranked& a, const Ranked& b) {
      return a.local.relative_l2 > b.local.relative_l2;
    });
    return {};
  }

  // Doubling, then halving. All of them when not even that restores the outputs.
  Result<size_t> smallest_count() {
    size_t failing = 0, passing = 1;
    for (;; passing = std::min(2 * passing, ranking_.size())) {
      if (ranking_.empty()) return 0;
      EDGEWRIGHT_ASSIGN(result_.restored, passes_with(passing));
      if (result_.restored) break;
      if (passing == ranking_.size()) return passing;
      failing = passing;
    }
    while (passing - failing > 1) {
      const size_t middle = failing + (passing - failing) / 2;
      EDGEWRIGHT_ASSIGN(const bool passes, passes_with(middle));
      (passes ? passing : failing) = middle;
    }
    return passing;
  }

  BisectedLayer describe(const Ranked& ranked) const {
    BisectedLayer layer{ranked.name, "", "", ranked.local};
    for (const Node& node : candidate_.nodes()) {
      for (const Value* output : node.outputs) {
        if (output == nullptr || output->name != ranked.name) continue;
        layer.node = node.name;
        layer.op = node.op;
      }
    }
    return layer;
  }

  const Graph& reference_;
  const Graph& candidate_;
  const std::vector<Datum>& inputs_;
  const GraphRunner& run_;
  const BisectOptions& options_;
  const Names matched_;
  std::vector<Datum> values_, expected_;
  std::vector<Ranked> ranking_;
  BisectResult result_;
};

}  // namespace

Result<BisectResult> bisect(const Graph& reference, const Graph& candidate,
                            const std::vector<Datum>& inputs, const GraphRunner& run,
                            const BisectOptions& options) {
  return Bisection(reference, candidate, inputs, run, options).find();
}

}  // namespace edgewright
