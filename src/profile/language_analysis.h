#pragma once

#include "edgewright/profile.h"
#include "profile/language_times.h"

namespace edgewright {

// Rows of a request: every part of every layer, in the prompt and in decoding, all calls of one
// phase together.
std::vector<ProfiledOperator> analyse_language(const PackedModel& model,
                                               const language::CacheShape& cache,
                                               const Roofline& roofline,
                                               const std::vector<CallTimes>& calls);
// Phases, layers and parts over time; parts of the first decoding steps only, of which there are
// many alike.
std::vector<ProfileTrack> language_tracks(const std::vector<CallTimes>& calls);
// Time by part, kernels that do several things divided by their operations.
std::vector<BreakdownRow> by_part(const std::vector<ProfiledOperator>& operators);

}  // namespace edgewright
