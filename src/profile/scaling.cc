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

// Time after over time before, of one step's kernel; 0 when it cannot be tried.
double ratio_of(const Plan& plan, const PlanStep& step, const Change& change) {
  if (step.implementation == nullptr) return 0;
  std::vector<Tensor> constants;
  KernelRequest request = full_request(plan, step, constants);
  const auto before = measure(request, *step.implementation);
  if (!before.ok() || *before <= 0) return 0;
  if (change.threads > 0) request.threads = change.threads;
  if (change.batch > 1 && !scale_batch(request, change.batch)) return 0;
  return quickest_us(request) / *before;
}

struct KindSum {
  double before_us = 0, after_us = 0;
};

}  // namespace

Result<double> predict_change(const Plan& plan, std::span<const ProfiledOperator> operators,
                              double overhead_us, const Change& change, double smallest_share) {
  std::map<std::string, double> known;
  std::map<std::string, KindSum> kinds;
  std::vector<bool> tried(operators.size(), false);
  double total = overhead_us;
  for (size_t i = 0; i < operators.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    if (operators[i].share < smallest_share || step.implementation == nullptr) continue;
    const std::string key = timing_key(request_of(plan, step), *step.implementation);
    const auto [entry, is_first] = known.try_emplace(key, 0);
    if (is_first) entry->second = ratio_of(plan, step, change);
    if (entry->second <= 0) continue;
    tried[i] = true;
    KindSum& kind = kinds[operators[i].kind];
    kind.before_us += operators[i].time_us;
    kind.after_us += operators[i].time_us * entry->second;
    total += operators[i].time_us * entry->second;
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
