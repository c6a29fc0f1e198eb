#pragma once

#include "device/probe.h"
#include "edgewright/device.h"

namespace edgewright {

// The kernels of kernels/probe as the probe takes them.
ProbeKernels probe_kernels();

// The roofs of this machine: from the file where it holds this processor's, else measured quickly
// (about a second) and kept there. An empty path measures each time.
Result<Roofs> host_roofs(const std::string& cache_path);

// Time of a step that does nothing worth mentioning, in microseconds.
Result<Measured> launch_cost();

}  // namespace edgewright
