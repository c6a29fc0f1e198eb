#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/pool_trace.h"
#include "edgewright/profile.h"
#include "runtime/session.h"

namespace edgewright {

// One track for each thread, from what pools told since `begin`. A slice is named after the span of
// `during` in which it began.
std::vector<ProfileTrack> worker_tracks(std::span<const PoolTrace::Slice> slices,
                                        PoolTrace::Clock::time_point begin,
                                        std::span<const TrackSlice> during);

// What each thread does in one run, beside the operators: where a thread has no slice, it waits.
Result<std::vector<ProfileTrack>> thread_tracks(Session& session, std::span<const Datum> inputs,
                                                std::span<const ProfiledOperator> operators);

}  // namespace edgewright
