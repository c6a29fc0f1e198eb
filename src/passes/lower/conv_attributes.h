#pragma once

#include <optional>

#include "passes/lower/lower.h"

namespace edgewright {

// The attributes of edgewright::Conv2d from those of a Conv whose X and W have known shapes, with
// auto_pad resolved; nothing when the node is malformed.
std::optional<Attributes> conv_attributes(const Node& node);

}  // namespace edgewright
