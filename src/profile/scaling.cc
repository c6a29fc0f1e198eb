#include "profile/scaling.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "profile/analysis.h"
#include "profile/step_request.h"
#include "runtime/autotune.h"
#include "runtime/kernel_runner.h"

namespace edgewright {
namespace {

// The quickest of all implementations, as the tuner would choose; null when none can be run.
const KernelImplementation* quickest(const KernelRequest& request) {
  const KernelImplementation* chosen = nullptr;
  double best = 0;
  for (const KernelImplementation* one : find_implementations(request.domain, request.op)) {
    if (!one->supports(request)) continue;
    const auto time_us = measure(request, *one);
    if (!time_us.ok() || (chosen != nullptr && *time_us >= best)) continue;
    chosen = one;
    best = *time_us;
  }
  return chosen;
}

// No cache that a step's weights could outlive in is larger for one core.
constexpr double kMostOthersBytes = 64e6;

// One step's kernel before and after; zeros when it cannot be tried.
struct Trial {
  double before_us = 0, after_us = 0;
};

class Trials {
 public:
  static Result<Trials> create(const Plan& plan, const KnownRun& run, const Change& change,
                               const MoveKernels& move) {
    Trials trials(plan, run, change);
    if (change.batch > 1) {
      const double most = std::min(kMostOthersBytes, trials.moved_bytes(change.batch));
      EDGEWRIGHT_ASSIGN(trials.others_, OtherData::allocate(most, move));
    }
    return trials;
  }

  Trial of(const PlanStep& step, const ProfiledOperator& op) const {
    std::vector<Tensor> constants;
    KernelRequest request = full_request(plan_, step, constants);
    const double before_us = time_us(request, *step.implementation, op, 1);
    if (before_us <= 0) return {};
    if (change_.threads > 0) request.threads = change_.threads;
    if (change_.batch > 1 && !scale_batch(request, change_.batch)) return {};
    const KernelImplementation* chosen = quickest(request);
    if (chosen == nullptr) return {};
    return {before_us, time_us(request, *chosen, op, change_.batch)};
  }

 private:
  Trials(const Plan& plan, const KnownRun& run, const Change& change)
      : plan_(plan), run_(run), change_(change) {}

  double moved_bytes(int64_t batch) const {
    return run_.weights_bytes + run_.values_bytes * static_cast<double>(batch);
  }
  // What lies between a step's operands and their last use. Those of steps with weights are small
  // and come from the step before; keys and values of a cache come from the run before.
  static double since_operands(const ProfiledOperator& op) {
    if (is_of_weights(op) || op.reuse_distance_bytes.size() < 2) return 0;
    return static_cast<double>(std::max<int64_t>(0, op.reuse_distance_bytes[1]));
  }
  // At the pace of the known run; zero where it cannot be run.
  double time_us(const KernelRequest& request, const KernelImplementation& implementation,
                 const ProfiledOperator& op, int64_t batch) const {
    const double before_us = run_.pace->round_us();
    const double tried_us = tried(request, implementation, op, batch);
    return tried_us * run_.pace_us / std::sqrt(before_us * run_.pace->round_us());
  }
  double tried(const KernelRequest& request, const KernelImplementation& implementation,
               const ProfiledOperator& op, int64_t batch) const {
    if (!others_) {
      const auto alone_us = measure(request, implementation);
      return alone_us.ok() ? *alone_us : 0;
    }
    auto kernel = KernelRunner::create(request, implementation);
    if (!kernel.ok()) return 0;
    const auto values = static_cast<double>(op.bytes_read + op.bytes_written - op.weight_bytes);
    const double own = static_cast<double>(op.weight_bytes) + values * static_cast<double>(batch);
    return others_->far_run_us(*kernel, std::max(0.0, moved_bytes(batch) - own),
                               since_operands(op) * moved_bytes(batch) / moved_bytes(1));
  }

  const Plan& plan_;
  const KnownRun& run_;
  const Change& change_;
  std::optional<OtherData> others_;
};

// What a step takes in the run after the change. Beyond its kernel as tried it waits for weights
// and data from further away: weights are read once for the whole batch, and threads do not shorten
// the wait, for what one core made the other has to fetch from it. Where a trial took longer than
// the step in the run, what it lost by beginning cold it lost both times; no batch takes longer
// than its samples one by one.
double after_us(const ProfiledOperator& op, const Trial& trial, const Change& change) {
  const auto batch = static_cast<double>(change.batch);
  const double waiting_us = op.time_us - trial.before_us;
  if (waiting_us > 0) {
    const double weights = weight_share(op);
    return trial.after_us + waiting_us * (weights + (1 - weights) * batch);
  }
  if (change.batch == 1) return op.time_us * trial.after_us / trial.before_us;
  return std::min(op.time_us * batch, trial.after_us + waiting_us);
}

// Kinds with weights of their own are not those without: a product of two values takes eight times
// as long for a batch of eight, one with weights may take little more than before.
using KindOfStep = std::pair<std::string, bool>;
KindOfStep kind_of(const ProfiledOperator& op) { return {op.kind, is_of_weights(op)}; }

struct KindSum {
  double before_us = 0, after_us = 0;
};

}  // namespace

Result<double> predict_change(const Plan& plan, const KnownRun& run, const Change& change,
                              const MoveKernels& move, double smallest_share) {
  const std::span<const ProfiledOperator> operators = run.operators;
  EDGEWRIGHT_ASSIGN(const Trials trials, Trials::create(plan, run, change, move));
  std::map<std::string, Trial> known;
  std::map<KindOfStep, KindSum> kinds;
  std::vector<bool> tried(operators.size(), false);
  double total = run.overhead_us;
  for (size_t i = 0; i < operators.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    if (operators[i].share < smallest_share || step.implementation == nullptr) continue;
    const std::string key = timing_key(request_of(plan, step), *step.implementation);
    const auto [entry, is_first] = known.try_emplace(key);
    if (is_first) entry->second = trials.of(step, operators[i]);
    if (entry->second.after_us <= 0) continue;
    tried[i] = true;
    const double step_us = after_us(operators[i], entry->second, change);
    KindSum& kind = kinds[kind_of(operators[i])];
    kind.before_us += operators[i].time_us;
    kind.after_us += step_us;
    total += step_us;
  }
  for (size_t i = 0; i < operators.size(); ++i) {
    if (tried[i]) continue;
    const auto kind = kinds.find(kind_of(operators[i]));
    const double ratio = kind == kinds.end() ? static_cast<double>(change.batch)
                                             : kind->second.after_us / kind->second.before_us;
    total += operators[i].time_us * ratio;
  }
  return total;
}

}  // namespace edgewright
