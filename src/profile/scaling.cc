#include "profile/scaling.h"

#include <map>

#include "profile/step_request.h"
#include "runtime/autotune.h"

namespace edgewright {
namespace {

// The quickest of all implementations, as the tuner would choose; 0 when none can be run.
double quickest_us(const KernelRequest& request) {
  double best = 0;
  for (const KernelImplementation* one : find_implementations(request.domain, request.op)) {
    if (!one->supports(request)) continue;
    const auto time_us = measure(request, *one);
    if (time_us.ok() && (best == 0 || *time_us < best)) best = *time_us;
  }
  return best;
}

// One step's kernel alone, before and after; zeros when it cannot be tried.
struct Trial {
  double before_us = 0, after_us = 0;
};

Trial try_alone(const Plan& plan, const PlanStep& step, const Change& change) {
  std::vector<Tensor> constants;
  KernelRequest request = full_request(plan, step, constants);
  const auto before = measure(request, *step.implementation);
  if (!before.ok() || *before <= 0) return {};
  if (change.threads > 0) request.threads = change.threads;
  if (change.batch > 1 && !scale_batch(request, change.batch)) return {};
  return {*before, quickest_us(request)};
}

// What a step takes in the run after the change. Beyond its kernel alone it waits for weights and
// data from further away: weights are read once for the whole batch, and threads do not shorten the
// wait, for what one core made the other has to fetch from it.
double after_us(const ProfiledOperator& op, const Trial& trial, const Change& change) {
  const double waiting_us = op.time_us - trial.before_us;
  if (waiting_us <= 0) return op.time_us * trial.after_us / trial.before_us;
  const auto bytes = static_cast<double>(op.bytes_read + op.bytes_written);
  const double weights = bytes > 0 ? static_cast<double>(op.weight_bytes) / bytes : 0;
  return trial.after_us +
         waiting_us * (weights + (1 - weights) * static_cast<double>(change.batch));
}

struct KindSum {
  double before_us = 0, after_us = 0;
};

}  // namespace

Result<double> predict_change(const Plan& plan, std::span<const ProfiledOperator> operators,
                              double overhead_us, const Change& change, double smallest_share) {
  std::map<std::string, Trial> known;
  std::map<std::string, KindSum> kinds;
  std::vector<bool> tried(operators.size(), false);
  double total = overhead_us;
  for (size_t i = 0; i < operators.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    if (operators[i].share < smallest_share || step.implementation == nullptr) continue;
    const std::string key = timing_key(request_of(plan, step), *step.implementation);
    const auto [entry, is_first] = known.try_emplace(key);
    if (is_first) entry->second = try_alone(plan, step, change);
    if (entry->second.after_us <= 0) continue;
    tried[i] = true;
    const double step_us = after_us(operators[i], entry->second, change);
    KindSum& kind = kinds[operators[i].kind];
    kind.before_us += operators[i].time_us;
    kind.after_us += step_us;
    total += step_us;
  }
  for (size_t i = 0; i < operators.size(); ++i) {
    if (tried[i]) continue;
    const auto kind = kinds.find(operators[i].kind);
    const double ratio = kind == kinds.end() ? static_cast<double>(change.batch)
                                             : kind->second.after_us / kind->second.before_us;
    total += operators[i].time_us * ratio;
  }
  return total;
}

}  // namespace edgewright
