#pragma once

#include <memory>

#include "quantize/static_int8.h"

namespace edgewright {

// Tries the model with scales migrated from activations to weights and keeps it where the outputs
// on the held-back samples come measurably closer to the original's. Then `graph` is replaced by
// the migrated model and `chosen` by its decision; the calibration cache, which counts for the
// model as it was, is left alone. What was tried is added to the choices. Returns the names of the
// values whose channels are scaled now, for rename_scaled().
Result<std::vector<std::string>> try_migration(std::unique_ptr<Graph>& graph, SampleRunner& runner,
                                               const SampleSplit& split,
                                               const OutputReference& reference,
                                               StaticOptions& options, StaticResult& chosen);

}  // namespace edgewright
