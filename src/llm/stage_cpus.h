#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

// The CPUs of every stage of a pipeline of layers; empty: none.
using StageCpus = std::vector<std::vector<int>>;
// "0-3/4,5/6-7": CPU numbers of each stage, 2 to 16 of them, no CPU twice; "none": no stages.
// kUsage for anything else.
Result<StageCpus> parse_stages(std::string_view text);

}  // namespace edgewright
