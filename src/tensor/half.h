#pragma once

// Part of the public interface.
#include "edgewright/half.h"  // IWYU pragma: export
