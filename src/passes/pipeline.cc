#include "passes/pipeline.h"

#include <algorithm>
#include <chrono>

namespace edgewright {

bool RewriteGate::allow(const Node& node) {
  if (granted_ >= limit_) return false;
  const auto named =
      std::ranges::find_if(node.outputs, [](const Value* v) { return v != nullptr; });
  const std::string output = named == node.outputs.end() ? std::string() : (*named)->name;
  std::string key = fmt::format("{}:{}", node.op, output);
  if (blocked_.contains(key)) return false;
  ++granted_;
  last_node_ = node.name.empty() ? fmt::format("{} making '{}'", node.op, output)
                                 : fmt::format("{} '{}'", node.op, node.name);
  last_key_ = std::move(key);
  return true;
}

namespace {

// After so many wrong rewrites in one run a pass is dropped as a whole.
constexpr int kMaxFaultsPerRun = 4;
constexpr size_t kNoLimit = static_cast<size_t>(-1);

int64_t microseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               start)
      .count();
}

class Pipeline {
 public:
  Pipeline(Model& model, const PipelineOptions& options, const TypeInferer& types,
           Evaluator& evaluator)
      : model_(model), options_(options), types_(types), evaluator_(evaluator) {}

  Result<PipelineReport> run() {
    EDGEWRIGHT_TRY(choose_passes());
    if (options_.verify) EDGEWRIGHT_TRY(check_original());
    report_.nodes_before = count_nodes(*model_.graph);
    EDGEWRIGHT_TRY(types_.infer(*model_.graph));
    for (size_t i = 0; i < stages_.size(); ++i) {
      if (options_.progress) options_.progress("optimise", i, stages_.size());
      EDGEWRIGHT_TRY(run_stage(stages_[i]));
    }
    if (options_.progress) options_.progress("optimise", stages_.size(), stages_.size());
    report_.nodes_after = count_nodes(*model_.graph);
    for (PassState& state : states_) {
      if (state.report.runs > 0) report_.passes.push_back(std::move(state.report));
    }
    return std::move(report_);
  }

 private:
  struct PassState {
    const Pass* pass;
    RewriteGate gate;
    PassReport report;
    // The number of changes made by all passes when this one ran last: it need not run again
    // before another one changed something.
    size_t seen_changes = kNoLimit;
  };

  Status choose_passes();
  Status check_known(const std::string& name, std::string_view option) const;
  bool wanted(const Pass& pass) const;
  size_t state_of(const Pass& pass);
  Status check_original() const;
  Status run_stage(const std::vector<size_t>& stage);
  Status run_pass(PassState& state);
  Result<bool> run_once(PassState& state, size_t limit);
  Result<bool> run_verified(PassState& state);
  Status find_fault(PassState& state, const Graph& before, const Error& difference);
  Status settle(const Pass& pass);
  void restore(const Graph& saved) { model_.graph = clone(saved); }

  Model& model_;
  const PipelineOptions& options_;
  const TypeInferer& types_;
  Evaluator& evaluator_;
  PipelineReport report_;
  std::vector<PassState> states_;
  std::vector<std::vector<size_t>> stages_;  // indices into states_
  size_t changes_ = 0;
};

bool Pipeline::wanted(const Pass& pass) const {
  if (pass.dialect > options_.pass.dialect || (pass.lossy && !options_.pass.lossy)) return false;
  return std::ranges::find(options_.disabled, pass.name) == options_.disabled.end();
}

// A pass that stands in several stages has one state and one report.
size_t Pipeline::state_of(const Pass& pass) {
  const auto named = [&](const PassState& state) { return state.pass->name == pass.name; };
  const auto it = std::ranges::find_if(states_, named);
  if (it != states_.end()) return static_cast<size_t>(it - states_.begin());
  states_.push_back({.pass = &pass, .report = {.name = std::string(pass.name)}});
  return states_.size() - 1;
}

Status Pipeline::check_known(const std::string& name, std::string_view option) const {
  const auto named = [&](const Pass& pass) { return pass.name == name; };
  for (const Stage& stage : optimisation_stages()) {
    if (std::ranges::any_of(stage.passes, named)) return {};
  }
  if (std::ranges::any_of(options_.extra_passes, named)) return {};
  return usage_error("{} names '{}', which is no pass; --list-passes shows them", option, name);
}

Status Pipeline::choose_passes() {
  for (const std::string& name : options_.disabled) EDGEWRIGHT_TRY(check_known(name, "--disable"));
  if (!options_.stop_after.empty()) {
    EDGEWRIGHT_TRY(check_known(options_.stop_after, "--stop-after"));
  }
  const auto add_stage = [&](const std::vector<Pass>& passes) {
    std::vector<size_t> stage;
    bool stop = false;
    for (const Pass& pass : passes) {
      if (wanted(pass)) stage.push_back(state_of(pass));
      if (stop = pass.name == options_.stop_after; stop) break;
    }
    stages_.push_back(std::move(stage));
    return stop;
  };
  for (const Stage& stage : optimisation_stages()) {
    if (add_stage(stage.passes)) return {};
  }
  add_stage(options_.extra_passes);
  return {};
}

Status Pipeline::check_original() const {
  Status status = options_.verify(*model_.graph);
  if (status.ok()) return {};
  return std::move(status).error().at("the passes cannot be verified on this model");
}

Status Pipeline::run_stage(const std::vector<size_t>& stage) {
  for (int round = 0; round < options_.rounds; ++round) {
    const size_t changes_before = changes_;
    for (const size_t index : stage) EDGEWRIGHT_TRY(run_pass(states_[index]));
    if (changes_ == changes_before) return {};
    // Folding may bring to light that a node cannot run at all; the graph still says what it said.
    if (Status status = types_.infer(*model_.graph); !status.ok()) {
      report_.warnings.push_back(std::move(status).error().message);
      return {};
    }
  }
  return {};
}

Status Pipeline::run_pass(PassState& state) {
  if (state.report.dropped || state.seen_changes == changes_) return {};
  PassReport& report = state.report;
  if (report.runs == 0) report.nodes_before = count_nodes(*model_.graph);
  ++report.runs;
  EDGEWRIGHT_ASSIGN(const bool changed,
                    options_.verify ? run_verified(state) : run_once(state, kNoLimit));
  if (changed) {
    ++changes_;
    report.changed = true;
    if (options_.observer) options_.observer(*state.pass, *model_.graph);
  }
  state.seen_changes = changes_;
  report.nodes_after = count_nodes(*model_.graph);
  return {};
}

Result<bool> Pipeline::run_once(PassState& state, size_t limit) {
  state.gate.restart(limit);
  PassContext context{types_, evaluator_, options_.pass, std::move(state.gate)};
  const auto start = std::chrono::steady_clock::now();
  Result<bool> changed = state.pass->run(*model_.graph, context);
  state.report.time_us += microseconds_since(start);
  state.gate = std::move(context.gate);
  if (!changed.ok()) return std::move(changed).error().at(fmt::format("pass {}", state.pass->name));
  if (*changed) EDGEWRIGHT_TRY(settle(*state.pass));
  return *changed;
}

// Brings the graph into the form that the next pass expects.
Status Pipeline::settle(const Pass& pass) {
  model_.graph->remove_dead();
  const std::vector<std::string> broken = violations(*model_.graph);
  if (!broken.empty()) {
    return internal_error("pass {} left a malformed graph: {} ({} in all); --disable {} avoids it",
                          pass.name, broken.front(), broken.size(), pass.name);
  }
  return {};
}

// Runs the pass and compares; what breaks the model is found, blocked and undone.
Result<bool> Pipeline::run_verified(PassState& state) {
  const std::unique_ptr<Graph> before = clone(*model_.graph);
  for (int fault = 0; fault <= kMaxFaultsPerRun; ++fault) {
    EDGEWRIGHT_ASSIGN(const bool changed, run_once(state, kNoLimit));
    if (!changed) return false;
    Status status = types_.infer(*model_.graph);
    if (status.ok()) status = options_.verify(*model_.graph);
    if (status.ok()) {
      state.report.verified = true;
      return true;
    }
    if (fault == kMaxFaultsPerRun || state.gate.granted() == 0) {
      state.report.faults.push_back(std::move(status).error().message);
      break;
    }
    EDGEWRIGHT_TRY(find_fault(state, *before, status.error()));
    restore(*before);
  }
  restore(*before);
  state.report.dropped = true;
  return false;
}

// The first rewrite that makes the model wrong, by halving: `good` rewrites are right, `bad` wrong.
Status Pipeline::find_fault(PassState& state, const Graph& before, const Error& difference) {
  size_t good = 0, bad = state.gate.granted();
  std::string message = difference.message;
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    restore(before);
    EDGEWRIGHT_TRY(run_once(state, middle));
    Status status = types_.infer(*model_.graph);
    if (status.ok()) status = options_.verify(*model_.graph);
    if (!status.ok()) message = status.error().message;
    (status.ok() ? good : bad) = middle;
  }
  restore(before);
  EDGEWRIGHT_TRY(run_once(state, bad));
  state.report.faults.push_back(fmt::format("at node {}: {}", state.gate.last_node(), message));
  state.gate.block(state.gate.last_key());
  return {};
}

}  // namespace

std::vector<Pass> listed_passes() {
  std::vector<Pass> listed;
  for (const Stage& stage : optimisation_stages()) {
    for (const Pass& pass : stage.passes) {
      const auto named = [&](const Pass& other) { return other.name == pass.name; };
      if (std::ranges::none_of(listed, named)) listed.push_back(pass);
    }
  }
  return listed;
}

Result<PipelineReport> optimise(Model& model, const PipelineOptions& options,
                                const TypeInferer& types, Evaluator& evaluator) {
  return Pipeline(model, options, types, evaluator).run();
}

}  // namespace edgewright
