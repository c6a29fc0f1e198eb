#pragma once

#include <cstddef>

#include "base/thread_pool.h"

namespace edgewright {

// Bytes per second that all threads of the pool together read, the best of several passes over the
// same `working_set_bytes` (kept between 256 KiB and 256 MiB): from the cache that holds so many,
// or from memory. Takes about a tenth of a second.
double measure_read_bandwidth(ThreadPool& pool, size_t working_set_bytes);

}  // namespace edgewright
