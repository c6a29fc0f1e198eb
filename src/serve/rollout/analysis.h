#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

// Outcome of a measurement, a metric or a whole analysis, with the meanings of Argo Rollouts
// (docs/features/analysis.md there): pending and running are not complete, the others are final.
enum class AnalysisPhase : uint8_t {
  kPending,
  kRunning,
  kSuccessful,
  kFailed,
  kInconclusive,
  kError
};
std::string_view phase_name(AnalysisPhase phase);
bool is_complete(AnalysisPhase phase);

// What a value must be: `value OPERATOR bound`.
struct Condition {
  enum class Comparison : uint8_t { kLess, kAtMost, kGreater, kAtLeast };
  Comparison comparison = Comparison::kAtLeast;
  double bound = 0;
  bool holds(double value) const;
};

// A metric to be measured again and again.
struct MetricSpec {
  std::string name;
  std::optional<Condition> success, failure;
  // Measurements without error that end the analysis successfully; absent: it runs until it is
  // ended. Without interval one measurement is enough.
  std::optional<int64_t> count;
  bool has_interval = true;
  int64_t failure_limit = 0;       // more failures than this fail the metric; -1: never
  int64_t inconclusive_limit = 0;  // more than this make it inconclusive; -1: never
  int64_t consecutive_error_limit = 4;
};

// One value against the conditions. With neither condition every value is a success; with one of
// them the other is its opposite; with both, a value that meets neither is inconclusive, and the
// failure condition comes first. An absent value is an error.
AnalysisPhase judge(const MetricSpec& spec, std::optional<double> value);

// What was measured of a metric so far.
struct MetricState {
  AnalysisPhase phase = AnalysisPhase::kPending;
  int64_t successful = 0, failed = 0, inconclusive = 0, error = 0, consecutive_error = 0;
  // Measurements without error.
  int64_t measured() const { return successful + failed + inconclusive; }
  bool operator==(const MetricState&) const = default;
};
// The state after one more measurement; a complete state stays as it is.
MetricState measure(const MetricSpec& spec, MetricState state, std::optional<double> value);
// The state when the analysis is ended from outside: running metrics succeed.
MetricState terminate(MetricState state);

// Of all metrics together: the worst, in the order successful, running, pending, inconclusive,
// error, failed.
AnalysisPhase worst(std::span<const MetricState> states);

}  // namespace edgewright
