#pragma once

#include "api/split_subject.h"
#include "edgewright/split.h"

namespace edgewright {

// Writes what every tier but the device needs: OUTPUT/tier1, OUTPUT/tier2 and so on, each a
// repository for `edgewright serve`. Those in the middle get a relay (serve/relay.h), the last one
// an ordinary half, so that `split run` against tier 1 finds the half that it looks for. Every tier
// runs layers that follow each other; a plan that does otherwise is written as the nearest such
// one, with a warning. kUsage when the plan leaves a tier without work.
Status write_tiers(const SplitSubject& subject, const SplitOptions& options,
                   const Placement& placement, SplitReport& report);

}  // namespace edgewright
