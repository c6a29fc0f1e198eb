#include "serve/rollout/analysis.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

constexpr std::string_view kNames[] = {"Pending", "Running",      "Successful",
                                       "Failed",  "Inconclusive", "Error"};
constexpr AnalysisPhase kFromBestToWorst[] = {
    AnalysisPhase::kSuccessful,   AnalysisPhase::kRunning, AnalysisPhase::kPending,
    AnalysisPhase::kInconclusive, AnalysisPhase::kError,   AnalysisPhase::kFailed};

bool exceeds(int64_t count, int64_t limit) { return limit >= 0 && count > limit; }

AnalysisPhase phase_of(const MetricSpec& spec, const MetricState& state) {
  if (exceeds(state.failed, spec.failure_limit)) return AnalysisPhase::kFailed;
  if (exceeds(state.inconclusive, spec.inconclusive_limit)) return AnalysisPhase::kInconclusive;
  if (exceeds(state.consecutive_error, spec.consecutive_error_limit)) return AnalysisPhase::kError;
  const std::optional<int64_t> count =
      spec.count || spec.has_interval ? spec.count : std::optional<int64_t>(1);
  if (count && state.measured() >= *count) return AnalysisPhase::kSuccessful;
  return AnalysisPhase::kRunning;
}

}  // namespace

std::string_view phase_name(AnalysisPhase phase) { return kNames[static_cast<size_t>(phase)]; }

bool is_complete(AnalysisPhase phase) {
  return phase != AnalysisPhase::kPending && phase != AnalysisPhase::kRunning;
}

bool Condition::holds(double value) const {
  switch (comparison) {
    case Comparison::kLess: return value < bound;
    case Comparison::kAtMost: return value <= bound;
    case Comparison::kGreater: return value > bound;
    case Comparison::kAtLeast: return value >= bound;
  }
  return false;
}

AnalysisPhase judge(const MetricSpec& spec, std::optional<double> value) {
  if (!value || std::isnan(*value)) return AnalysisPhase::kError;
  const bool fails = spec.failure && spec.failure->holds(*value);
  if (fails) return AnalysisPhase::kFailed;
  if (!spec.success) return AnalysisPhase::kSuccessful;
  if (spec.success->holds(*value)) return AnalysisPhase::kSuccessful;
  return spec.failure ? AnalysisPhase::kInconclusive : AnalysisPhase::kFailed;
}

MetricState measure(const MetricSpec& spec, MetricState state, std::optional<double> value) {
  if (is_complete(state.phase)) return state;
  const AnalysisPhase outcome = judge(spec, value);
  state.consecutive_error = outcome == AnalysisPhase::kError ? state.consecutive_error + 1 : 0;
  state.error += outcome == AnalysisPhase::kError ? 1 : 0;
  state.successful += outcome == AnalysisPhase::kSuccessful ? 1 : 0;
  state.failed += outcome == AnalysisPhase::kFailed ? 1 : 0;
  state.inconclusive += outcome == AnalysisPhase::kInconclusive ? 1 : 0;
  state.phase = phase_of(spec, state);
  return state;
}

MetricState terminate(MetricState state) {
  if (!is_complete(state.phase)) state.phase = AnalysisPhase::kSuccessful;
  return state;
}

AnalysisPhase worst(std::span<const MetricState> states) {
  size_t rank = 0;
  for (const MetricState& state : states) {
    const auto* place = std::ranges::find(kFromBestToWorst, state.phase);
    rank = std::max(rank, static_cast<size_t>(place - std::begin(kFromBestToWorst)));
  }
  return kFromBestToWorst[rank];
}

}  // namespace edgewright
