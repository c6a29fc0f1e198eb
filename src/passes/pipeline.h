#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "passes/pass.h"

namespace edgewright {

// Says whether the graph still computes what the original did: kCheckFailed with the output or
// value that differs. Asked first with the untouched graph, where any failure ends the pipeline.
using NumericCheck = std::function<Status(const Graph& graph)>;

struct PipelineOptions {
  PassOptions pass;
  std::vector<std::string> disabled;  // names of passes
  std::string stop_after;             // name of the last pass to run; empty: all
  NumericCheck verify;                // empty: no check of numbers
  Progress progress;
  // Sees the graph after every pass that changed it.
  std::function<void(const Pass& pass, const Graph& graph)> observer;
  int rounds = 12;  // how often one stage may repeat
  // Run after the others; tests plant wrong passes here.
  std::vector<Pass> extra_passes;
};

// What one pass did, all its runs together.
struct PassReport {
  std::string name;
  bool changed = false;
  int64_t time_us = 0;    // in the pass itself, checks excluded
  bool verified = false;  // every change was checked and found right
  // Not empty: rewrites that broke the model, each with its node and what differed. They were
  // undone; `dropped` says that the whole pass was.
  std::vector<std::string> faults;
  bool dropped = false;
  size_t nodes_before = 0, nodes_after = 0;  // before its first run, after its last
  int runs = 0;
};

struct PipelineReport {
  std::vector<PassReport> passes;  // those that ran, in table order
  // Nodes of which the passes found that they cannot run: contradicting types or shapes.
  std::vector<std::string> warnings;
  size_t nodes_before = 0, nodes_after = 0;
};

// Every pass of the pipeline once, in the order of their first stage.
std::vector<Pass> listed_passes();

// Optimises the model in place. Fails with kUsage when an option names no pass, with kInternal
// naming the pass when one leaves a malformed graph; the model is then not to be used.
Result<PipelineReport> optimise(Model& model, const PipelineOptions& options,
                                const TypeInferer& types, Evaluator& evaluator);

}  // namespace edgewright
