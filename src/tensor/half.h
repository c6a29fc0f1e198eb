#pragma once

// Part of the public interface.
#include "edgewright/tensor.h"  // IWYU pragma: export
