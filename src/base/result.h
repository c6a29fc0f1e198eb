#pragma once

// Part of the public interface.
#include "edgewright/result.h"  // IWYU pragma: export
