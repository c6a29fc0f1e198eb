#include "targets/placement.h"

#include <algorithm>
#include <cmath>

#include "split/max_flow.h"

namespace edgewright {
namespace {

// Capacities are whole: picoseconds as long as they fit, coarser units for longer models.
class Scale {
 public:
  explicit Scale(const PlacementProblem& problem) {
    double sum = 1;
    for (const auto& node : problem.nodes) {
      sum += std::max(node.accelerator_us, 0.0) + std::max(node.cpu_us, 0.0);
    }
    for (const auto& tensor : problem.tensors) sum += 2 * tensor.transfer_us;
    factor_ = std::min(1e6, static_cast<double>(MaxFlow::kLargestSum) / 2 / sum);
  }
  int64_t capacity(double us) const {
    return us == PlacementProblem::kImpossible ? MaxFlow::kInfinite : std::llround(us * factor_);
  }

 private:
  double factor_;
};

// The accelerator is the source's side, the CPU the sink's.
void add_nodes(const PlacementProblem& problem, const Scale& scale, size_t source, size_t sink,
               MaxFlow& flow) {
  for (size_t i = 0; i < problem.nodes.size(); ++i) {
    flow.add_arc(source, i, scale.capacity(problem.nodes[i].cpu_us));
    flow.add_arc(i, sink, scale.capacity(problem.nodes[i].accelerator_us));
  }
}

void add_tensor(const PlacementProblem::Tensor& tensor, int64_t capacity, size_t sink,
                size_t vertex, MaxFlow& flow) {
  const auto vertex_of = [&](size_t node) {
    return node == PlacementProblem::kOutside ? sink : node;
  };
  const size_t producer = vertex_of(tensor.producer);
  // Cut when the producer is on the accelerator and any reader on the CPU, and the other way.
  const size_t to_cpu = vertex, to_accelerator = vertex + 1;
  if (producer != sink) flow.add_arc(producer, to_cpu, capacity);
  flow.add_arc(to_accelerator, producer, capacity);
  for (const size_t consumer : tensor.consumers) {
    const size_t reader = vertex_of(consumer);
    flow.add_arc(to_cpu, reader, MaxFlow::kInfinite);
    if (reader != sink) flow.add_arc(reader, to_accelerator, MaxFlow::kInfinite);
  }
}

}  // namespace

PlacementResult cost_of(const PlacementProblem& problem, std::vector<bool> on_cpu) {
  PlacementResult result;
  const auto is_on_cpu = [&](size_t node) {
    return node == PlacementProblem::kOutside || on_cpu[node];
  };
  for (size_t i = 0; i < problem.nodes.size(); ++i) {
    const auto& node = problem.nodes[i];
    const double time_us = on_cpu[i] ? node.cpu_us : node.accelerator_us;
    if (time_us == PlacementProblem::kImpossible) {
      result.possible = false;
    } else {
      result.total_us += time_us;
    }
  }
  for (const auto& tensor : problem.tensors) {
    const bool made_on_cpu = is_on_cpu(tensor.producer);
    const bool crosses = std::ranges::any_of(
        tensor.consumers, [&](size_t consumer) { return is_on_cpu(consumer) != made_on_cpu; });
    if (!crosses) continue;
    ++result.transitions;
    result.bytes_moved += tensor.size_bytes;
    result.transfer_us += tensor.transfer_us;
  }
  result.total_us += result.transfer_us;
  result.on_cpu = std::move(on_cpu);
  return result;
}

PlacementResult place(const PlacementProblem& problem) {
  const Scale scale(problem);
  const size_t nodes = problem.nodes.size();
  const size_t source = nodes + 2 * problem.tensors.size(), sink = source + 1;
  MaxFlow flow(sink + 1);
  add_nodes(problem, scale, source, sink, flow);
  for (size_t i = 0; i < problem.tensors.size(); ++i) {
    const auto& tensor = problem.tensors[i];
    add_tensor(tensor, scale.capacity(tensor.transfer_us), sink, nodes + 2 * i, flow);
  }
  flow.solve(source, sink);
  std::vector<bool> on_cpu(nodes);
  for (size_t i = 0; i < nodes; ++i) {
    const auto& node = problem.nodes[i];
    // A node that runs nowhere tells nothing of the others; it counts as the accelerator's.
    const bool nowhere = node.cpu_us == PlacementProblem::kImpossible &&
                         node.accelerator_us == PlacementProblem::kImpossible;
    on_cpu[i] = !nowhere && !flow.on_source_side(i);
  }
  return cost_of(problem, std::move(on_cpu));
}

}  // namespace edgewright
