#pragma once

#include <span>

#include "edgewright/profile.h"

namespace edgewright {

inline constexpr size_t kFewestSamples = 4;
// Two-sided p of the hypothesis that two sets of times are of the same kind: Mann-Whitney U with
// the normal approximation and the correction for ties; 1 where a set has fewer than
// kFewestSamples values.
double mann_whitney_p(std::span<const double> a, std::span<const double> b);

// Two documents of `profile --json`. Operators are matched by name; each difference comes with its
// p, corrected for the number of those that both documents have runs of (Holm 1979). kBadInput when
// one is no such document.
Result<ProfileComparison> compare_profiles_text(std::string_view a, std::string_view b);

}  // namespace edgewright
