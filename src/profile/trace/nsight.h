#pragma once

#include <string>

#include "profile/trace/trace.h"

namespace edgewright {

// An export of Nsight Systems (`nsys export --type sqlite`): kernels per stream, copies and fills
// with their bytes, synchronisations, and ranges of NVTX. kBadInput when it is no database or has
// no kernels.
bool is_sqlite(std::string_view head);
Result<Trace> import_nsight(const std::string& path);

}  // namespace edgewright
