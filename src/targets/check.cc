#include "targets/check.h"

#include <algorithm>
#include <map>
#include <optional>

#include "graph/node_facts.h"
#include "targets/placement.h"

namespace edgewright {
namespace {

// What replaces an operator that a target lacks, where something usual does.
constexpr std::pair<std::string_view, std::string_view> kSubstitutes[] = {
    {"Gelu", "train or export with the tanh form, or with HardSwish"},
    {"Erf", "export GELU in its tanh form"},
    {"LayerNormalization", "use batch normalisation, which runs everywhere"},
    {"NonZero", "replace by a fixed number of candidates (TopK)"},
    {"NonMaxSuppression", "move it behind the model, to the CPU's post-processing"},
    {"If", "fix the condition's input with convert --fix"},
    {"Loop", "unroll it, or run the body from outside"},
    {"LSTM", "keep it on the CPU, or replace it by convolutions"},
    {"STFT", "move it before the model"},
    {"Einsum", "write it as Transpose and MatMul"},
    {"Attention", "export it as MatMul and Softmax"},
};

std::string name_of(const Node& node) {
  if (!node.name.empty()) return node.name;
  const Value* output = node.output(0);
  return output == nullptr ? node.op : output->name;
}

// The oldest version whose table has the operation as its own.
std::string native_since(const Target& target, const Node& node) {
  std::string best;
  for (const SupportRow& row : target.table.rows) {
    if (row.level != SupportLevel::kNative || !row.versions.starts_with(">=")) continue;
    const std::string version = row.versions.substr(2);
    if (compare_versions(version, target.version) <= 0) continue;
    Target later = target;
    later.version = version;
    const SupportRow* there = find_support(later, node);
    if (there == nullptr || there->level != SupportLevel::kNative) continue;
    if (best.empty() || compare_versions(version, best) < 0) best = version;
  }
  return best;
}

// Where else it would be native. Of a node with bodies the row says nothing: they decide.
std::vector<std::string> native_elsewhere(const Target& target, const Node& node) {
  std::vector<std::string> ways;
  if (!node.subgraphs.empty()) return ways;
  if (const std::string since = native_since(target, node); !since.empty()) {
    ways.push_back(fmt::format("native since {} {}", target.table.framework, since));
  }
  for (const std::string& hardware : target.table.hardware) {
    Target other = target;
    other.hardware = hardware;
    const SupportRow* row = find_support(other, node);
    if (hardware != target.hardware && row != nullptr && row->level == SupportLevel::kNative) {
      ways.push_back("native on its " + hardware);
    }
  }
  return ways;
}

std::string advice_for(const Target& target, const Node& node) {
  std::vector<std::string> ways = native_elsewhere(target, node);
  const auto* substitute = std::ranges::find(kSubstitutes, node.op,
                                             &std::pair<std::string_view, std::string_view>::first);
  if (substitute != std::end(kSubstitutes)) ways.emplace_back(substitute->second);
  if (ways.empty()) {
    ways.push_back(fmt::format("no version or hardware of {} that we know has it: replace it",
                               target.table.framework));
  }
  return fmt::format("{}", fmt::join(ways, "; "));
}

class Checker {
 public:
  Checker(const Graph& graph, const Target& target, const TargetCheck& check)
      : graph_(graph), target_(target), check_(check) {
    const auto& hardware = target.table.hardware;
    if (target.hardware == "cpu" || std::ranges::find(hardware, "cpu") == hardware.end()) return;
    cpu_ = Target{target.table, target.version, "cpu"};
  }

  TargetReport run() {
    for (const Node& node : graph_.nodes()) classify(node);
    add_tensors();
    const PlacementResult placed = place(problem_);
    for (size_t i = 0; i < report_.nodes.size(); ++i) finish(i, placed.on_cpu[i]);
    report_.framework = target_.table.framework;
    report_.version = target_.version;
    report_.hardware = target_.hardware;
    report_.description = target_.table.description;
    report_.opset = max_opset(target_);
    report_.transitions = placed.transitions;
    report_.bytes_moved = placed.bytes_moved;
    report_.predicted_us = placed.total_us;
    report_.passed = placed.possible && !report_.counts.contains("custom");
    if (!placed.possible) {
      report_.warnings.push_back("some nodes run nowhere; predicted_us leaves them out");
    }
    return std::move(report_);
  }

 private:
  // What the table says of a node; of one with bodies, what it says of the least of theirs.
  struct Verdict {
    SupportLevel level = SupportLevel::kNo;
    std::string reason = "no row of the support table";
  };
  Verdict verdict_of(const Node& node) const {
    const SupportRow* row = find_support(target_, node);
    Verdict verdict;
    if (row != nullptr) verdict = {row->level, fmt::format("{}: {}", row->basis, row->source)};
    if (verdict.level == SupportLevel::kCpu && !runs_on_its_cpu(node)) {
      verdict = {SupportLevel::kNo, verdict.reason + "; its CPU has it not either"};
    }
    for (const auto& [name, body] : node.subgraphs) {
      for (const Node& inner : body->nodes()) {
        const Verdict within = verdict_of(inner);
        const bool runs_there = within.level < SupportLevel::kCustom;
        if (runs_there || within.level <= verdict.level) continue;
        verdict = {within.level, fmt::format("its {} holds {}, which is {} ({})", name,
                                             full_operator_name(inner.domain, inner.op),
                                             support_level_name(within.level), within.reason)};
      }
    }
    return verdict;
  }

  // Whoever hands an operation back to the CPU has to find it there, where the table speaks of
  // that.
  bool runs_on_its_cpu(const Node& node) const {
    if (!cpu_) return true;
    const SupportRow* row = find_support(*cpu_, node);
    return row != nullptr && row->level != SupportLevel::kNo;
  }

  // Ways round what the target has not as it is: computing on another type, opening. A table's own
  // word on decomposing stands.
  void improve(const Node& node, Verdict& verdict, double& factor) const {
    if (verdict.level == SupportLevel::kNative || verdict.level == SupportLevel::kCast) return;
    const Opened opened = check_.open(node);
    const std::string as_one =
        fmt::format("as it is it is {} ({})", support_level_name(verdict.level), verdict.reason);
    if (verdict.level == SupportLevel::kDecompose) {
      factor = opened.cost_factor;
    } else if (const auto to = type_that_runs(target_, node)) {
      verdict = {SupportLevel::kCast,
                 fmt::format("native in {}, between casts; {}", dtype_name(*to), as_one)};
    } else if (opened.possible && verdict.level != SupportLevel::kCustom) {
      factor = opened.cost_factor;
      verdict = {SupportLevel::kDecompose,
                 fmt::format("opened into operations that are native there; {}", as_one)};
    }
  }

  void classify(const Node& node) {
    const size_t index = report_.nodes.size();
    const double accelerator_us = check_.accelerator_us[index];
    report_.unconstrained_us += accelerator_us;
    NodePlacement entry{name_of(node), full_operator_name(node.domain, node.op), "no"};
    PlacementProblem::Node choices{PlacementProblem::kImpossible, PlacementProblem::kImpossible};
    Verdict verdict = verdict_of(node);
    double factor = 1;
    improve(node, verdict, factor);
    const SupportLevel level = verdict.level;
    entry.reason = std::move(verdict.reason);
    const bool runs_there = level == SupportLevel::kNative || level == SupportLevel::kCast ||
                            level == SupportLevel::kDecompose || level == SupportLevel::kCustom;
    if (runs_there) choices.accelerator_us = accelerator_us * factor;
    // What is refused is refused everywhere; what runs on a CPU already has nowhere to fall back
    // to.
    const bool has_way_back =
        level != SupportLevel::kNo && !(runs_there && target_.hardware == "cpu");
    if (target_.table.has_cpu_fallback && has_way_back) choices.cpu_us = check_.cpu_us[index];
    entry.placement = support_level_name(level);
    if (level == SupportLevel::kNative && !check_.original_operators.contains(entry.op)) {
      entry.placement = "fuse";
    }
    if (level == SupportLevel::kCustom || level == SupportLevel::kCpu ||
        level == SupportLevel::kNo || level == SupportLevel::kDecompose) {
      entry.advice = advice_for(target_, node);
    }
    index_[&node] = index;
    problem_.nodes.push_back(choices);
    report_.nodes.push_back(std::move(entry));
  }

  void add_tensors() {
    for (const Node& node : graph_.nodes()) {
      for (const Value* output : node.outputs) {
        if (output != nullptr) add_tensor(*output, index_.at(&node));
      }
    }
    for (const Value* input : graph_.inputs()) {
      if (!input->is_constant()) add_tensor(*input, PlacementProblem::kOutside);
    }
  }

  void add_tensor(const Value& value, size_t producer) {
    PlacementProblem::Tensor tensor;
    tensor.producer = producer;
    for (const Use& use : value.uses) {
      const auto reader = reader_of(*use.node);
      if (reader != index_.end()) tensor.consumers.push_back(reader->second);
    }
    if (value.is_graph_output()) tensor.consumers.push_back(PlacementProblem::kOutside);
    if (tensor.consumers.empty()) return;
    tensor.size_bytes = size_of(value);
    tensor.transfer_us = check_.crossing_us + tensor.size_bytes * check_.copy_us_per_byte;
    problem_.tensors.push_back(std::move(tensor));
  }

  // The node of this graph that reads: itself, or the one in whose subgraph it lies.
  std::map<const Node*, size_t>::const_iterator reader_of(const Node& node) const {
    const Node* at = &node;
    while (at->graph != &graph_ && at->graph->parent != nullptr) at = at->graph->parent;
    return index_.find(at);
  }

  static double size_of(const Value& value) {
    if (!value.type.is_tensor() || !value.type.shape) return 0;
    double count = 1;
    for (const Dim& dim : *value.type.shape) {
      count *= dim.is_known() ? static_cast<double>(dim.value) : 1;
    }
    return count * dtype_bits(value.type.dtype) / 8;
  }

  void finish(size_t i, bool on_cpu) {
    NodePlacement& entry = report_.nodes[i];
    const PlacementProblem::Node& choices = problem_.nodes[i];
    if (on_cpu && entry.placement != "cpu") {
      entry.reason = fmt::format("{}; the way there and back costs more than it gains ({})",
                                 entry.placement, entry.reason);
      if (entry.advice.empty()) entry.advice = "goes there as soon as its neighbours do";
    }
    if (on_cpu) entry.placement = "cpu";
    const double time_us = on_cpu ? choices.cpu_us : choices.accelerator_us;
    entry.time_us = std::max(time_us, 0.0);
    report_.counts[entry.placement] += 1;
  }

  const Graph& graph_;
  const Target& target_;
  const TargetCheck& check_;
  std::optional<Target> cpu_;  // the same on its CPU, where that is another kind of hardware
  std::map<const Node*, size_t> index_;
  PlacementProblem problem_;
  TargetReport report_;
};

}  // namespace

TargetReport check_target(const Graph& graph, const Target& target, const TargetCheck& check) {
  return Checker(graph, target, check).run();
}

}  // namespace edgewright
