#pragma once

#include <string>

#include "split/problem.h"

namespace edgewright {

// Reads a chain of measured layers: lines `layer,edge_s,cloud_s,out_MB` (times in seconds, output
// sizes in 10^6 bytes), after lines that begin with '#' and a heading with these names in any
// order; further columns `weight_MB` and `edge_mJ` are optional, others are an error. The first
// layer must be `input`. Times may be noisy and need not fall or rise along the chain. The problem
// has two tiers and one hop, whose speed the caller sets. kBadInput with the line's number.
Result<SplitProblem> read_profile_file(const std::string& path);

}  // namespace edgewright
