#pragma once

#include "passes/pass.h"

// One function per pass, each in the file of its name; optimisation_stages() orders them.
namespace edgewright {

Result<bool> eliminate_dead(Graph& graph, PassContext& context);
Result<bool> eliminate_identity(Graph& graph, PassContext& context);

}  // namespace edgewright
