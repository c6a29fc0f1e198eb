#pragma once

#include <memory>

#include "edgewright/serve.h"
#include "split/offload/way_choice.h"

namespace edgewright {

// kUsage for a way to choose that there is not.
Result<CutGoal> cut_goal(const SplitRunChoice& choice);
// The policy that chooses among these cuts, with what it learned before; null where the cut
// follows what is measured.
Result<std::shared_ptr<WayChoice>> way_choice(const SplitRunOptions& options,
                                              std::span<const ReadyCut> cuts);
// Keeps what was learned and fills in the report's mean cost. `ways` may be null.
Status keep_ways(const SplitRunChoice& choice, WayChoice* ways, SplitRunReport& report);

}  // namespace edgewright
