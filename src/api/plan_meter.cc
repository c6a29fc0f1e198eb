#include "api/plan_meter.h"

#include <algorithm>
#include <chrono>

#include "api/open_backend.h"
#include "verify/inputs.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLeastRuns = 3;
constexpr size_t kMostRuns = 200;

struct Contender {
  std::unique_ptr<BackendSession> session;
  std::vector<Datum> inputs;
  std::vector<double> times_us;
  bool tuned = true;
};

Result<Contender> prepare(const Graph& graph, const InferenceOptions& options) {
  Contender contender;
  std::vector<std::string> warnings;
  EDGEWRIGHT_ASSIGN(auto plan, make_plan(graph, options, warnings));
  contender.tuned = std::ranges::none_of(
      plan->steps, [](const PlanStep& step) { return step.kind == StepKind::kReference; });
  SessionOptions session_options;
  session_options.threads = options.threads;
  EDGEWRIGHT_ASSIGN(contender.session, open_plan(std::move(plan), session_options));
  EDGEWRIGHT_ASSIGN(auto inputs, make_inputs(graph, {}));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!graph.inputs()[i]->is_constant()) contender.inputs.push_back(std::move(inputs[i]));
  }
  return contender;
}

double median(std::vector<double> times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

Result<std::vector<Latency>> PlanMeter::measure(std::span<const Graph* const> graphs) {
  InferenceOptions options = options_;
  options.optimise = true;
  std::vector<Contender> contenders;
  for (const Graph* graph : graphs) {
    EDGEWRIGHT_ASSIGN(Contender one, prepare(*graph, options));
    EDGEWRIGHT_TRY(one.session->run(one.inputs));  // warms caches and pages
    contenders.push_back(std::move(one));
  }
  const auto start = Clock::now();
  for (size_t run = 0; run < kMostRuns; ++run) {
    const std::chrono::duration<double> passed = Clock::now() - start;
    if (run >= kLeastRuns && passed.count() > seconds_) break;
    for (Contender& one : contenders) {
      const auto before = Clock::now();
      EDGEWRIGHT_TRY(one.session->run(one.inputs));
      const std::chrono::duration<double, std::micro> time = Clock::now() - before;
      one.times_us.push_back(time.count());
    }
  }
  std::vector<Latency> latencies;
  latencies.reserve(contenders.size());
  for (const Contender& one : contenders) latencies.push_back({median(one.times_us), one.tuned});
  return latencies;
}

}  // namespace edgewright
