#pragma once

// Part of the public interface.
#include "edgewright/dtype.h"  // IWYU pragma: export
