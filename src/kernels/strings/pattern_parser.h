#pragma once

#include "kernels/strings/pattern.h"

namespace edgewright::reference {

// The automaton of a pattern: step 0 is its start, its one kMatch step its end.
Result<std::vector<Pattern::Step>> parse_pattern(std::string_view text);

}  // namespace edgewright::reference
