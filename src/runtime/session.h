#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "graph/graph.h"
#include "runtime/compile.h"
#include "runtime/executor.h"

namespace edgewright {

// The shapes that an input may have: every dimension between min and max. A plan for the opt shapes
// is made when the session opens.
struct ShapeProfile {
  struct Range {
    Dims min, opt, max;
  };
  std::map<std::string, Range> inputs;  // by name; inputs without an entry may have any shape
};

// Makes the graph for concrete input shapes (in the order of the inputs that are no constants):
// types inferred, optimised, lowered. The given graph stays as it is.
using Specialise =
    std::function<Result<std::unique_ptr<Graph>>(const Graph& graph, std::span<const Dims> shapes)>;

struct SessionOptions {
  int threads = 1;
  std::vector<int> pinned_cpus;              // as ThreadPool takes them
  ImplementationChooser* chooser = nullptr;  // used while compiling; must outlive the session
  FunctionExpander expander;
  bool tuned_kernels = true;
  // Where empty, a graph with open shapes runs as one plan with heap values for every shape.
  Specialise specialise;
  std::vector<ShapeProfile> profiles;  // empty: every shape is accepted
  size_t cached_plans = 8;             // the least recently used plan goes first
};

struct SessionFigures {
  double load_us = 0;             // from open's start to its end
  double first_inference_us = 0;  // of the first run; 0 before
  double plan_us = 0;      // of the two above: making plans, from fixing shapes to packing weights
  size_t arena_bytes = 0;  // of the plan that ran last (or was made last)
  size_t live_set_bytes = 0;
  size_t plans = 0;  // in the cache now
};

// A model ready to run. One run at a time; several sessions may share a plan.
class Session {
 public:
  struct Port {
    std::string name;
    ValueType type;
  };

  static Result<std::unique_ptr<Session>> open(std::unique_ptr<Graph> graph,
                                               SessionOptions options);
  static Result<std::unique_ptr<Session>> open(std::shared_ptr<const Plan> plan,
                                               SessionOptions options);

  // Inputs that are constants in the graph are not listed and not given.
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }

  // One inference; inputs in the order of inputs(). See Executor::run on memory.
  Result<std::vector<Datum>> run(std::span<const Datum> inputs, const RunHooks* hooks = nullptr);

  const SessionFigures& figures() const { return figures_; }
  // The plan that ran last (or was made last).
  const Plan& plan() const { return plans_.front().executor->plan(); }

 private:
  struct Entry {
    std::vector<Dims> shapes;  // empty: serves every shape
    std::unique_ptr<Executor> executor;
  };

  explicit Session(SessionOptions options)
      : options_(std::move(options)), pool_(options_.threads, options_.pinned_cpus) {}
  Status open_graph(std::unique_ptr<Graph> graph);
  Status add_plan(std::shared_ptr<const Plan> plan, std::vector<Dims> shapes);
  Status make_plan(std::vector<Dims> shapes);
  Status prepare_profiles();
  Result<Executor*> executor_for(std::span<const Datum> inputs);
  Status check_profiles(std::span<const Dims> shapes) const;
  bool is_specialised() const;

  SessionOptions options_;
  ThreadPool pool_;
  std::unique_ptr<Graph> graph_;
  std::vector<Port> inputs_, outputs_;
  std::list<Entry> plans_;  // most recently used first
  SessionFigures figures_;
};

}  // namespace edgewright
