#include "edgewright/result.h"

namespace edgewright {

std::string_view version() { return EDGEWRIGHT_VERSION; }

}  // namespace edgewright
