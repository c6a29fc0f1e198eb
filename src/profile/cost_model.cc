#include "profile/cost_model.h"

#include <algorithm>
#include <numeric>

namespace edgewright {
namespace {

NodeCost cost_of(const Operation& operation, const Work& work) {
  NodeCost cost;
  cost.name = operation.name;
  cost.op = full_operator_name(operation.domain, operation.op);
  cost.kind = work.kind;
  cost.multiply_adds = work.multiply_adds;
  cost.flops = work.flops;
  cost.bytes_read = work.bytes_read;
  cost.weight_bytes = work.weight_bytes;
  cost.bytes_written = work.bytes_written;
  cost.complete = work.complete;
  for (const CountedOperand& output : operation.outputs) cost.output_bytes += output.size_bytes;
  return cost;
}

NodeCost predicted(const Operation& operation, const Roofline& roofline) {
  const Work work = work_of(operation);
  NodeCost cost = cost_of(operation, work);
  cost.time_us = predict_us(roofline, work);
  return cost;
}

}  // namespace

double predict_us(const Roofline& roofline, const Work& work) {
  if (work.kind == WorkKind::kView) return 0;
  const RoofTimes times = roof_times(roofline, work, {});
  const double compute = times.compute_us / usual_efficiency(work.kind);
  const double memory = times.memory_us.empty() ? 0 : *std::ranges::max_element(times.memory_us);
  return times.launch_us + std::max(compute, memory) + times.sync_us;
}

std::vector<NodeCost> predict(const Graph& graph, const Roofs& roofs, int threads) {
  const Roofline roofline{&roofs, threads};
  std::vector<NodeCost> costs;
  for (const Node& node : graph.nodes()) {
    NodeCost cost = predicted(operation_of(node), roofline);
    if (cost.name.empty() && node.output(0) != nullptr) cost.name = node.output(0)->name;
    costs.push_back(std::move(cost));
  }
  return costs;
}

Result<std::vector<NodeCost>> predict(const Graph& graph, const Device& device, int threads) {
  EDGEWRIGHT_ASSIGN(const Roofs roofs, roofs_of(device));
  return predict(graph, roofs, threads);
}

std::vector<NodeCost> predict(const Plan& plan, const Roofs& roofs, int threads) {
  const Roofline roofline{&roofs, threads};
  std::vector<NodeCost> costs;
  costs.reserve(plan.steps.size());
  for (const PlanStep& step : plan.steps) {
    costs.push_back(predicted(operation_of(plan, step), roofline));
  }
  return costs;
}

std::vector<NodeCost> measured_costs(const Plan& plan, std::span<const double> step_us) {
  EDGEWRIGHT_CHECK(step_us.size() == plan.steps.size());
  std::vector<NodeCost> costs;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Operation operation = operation_of(plan, plan.steps[i]);
    costs.push_back(cost_of(operation, work_of(operation)));
    costs.back().time_us = step_us[i];
    costs.back().is_measured = true;
  }
  return costs;
}

double total_us(std::span<const NodeCost> costs) {
  return std::accumulate(costs.begin(), costs.end(), 0.0,
                         [](double sum, const NodeCost& cost) { return sum + cost.time_us; });
}

}  // namespace edgewright
