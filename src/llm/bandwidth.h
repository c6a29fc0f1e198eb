#pragma once

#include "base/thread_pool.h"

namespace edgewright {

// Bytes per second that all threads of the pool together read from memory beyond the caches: the
// best of several passes over 256 MiB. Takes about a tenth of a second.
double measure_read_bandwidth(ThreadPool& pool);

}  // namespace edgewright
