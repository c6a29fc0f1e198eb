#pragma once

#include <span>

#include "edgewright/profile.h"
#include "runtime/plan.h"

namespace edgewright {

// Names what every step of a transformer is for, from how values flow: "qkv" (products that lead
// into attention), "attention", "output-projection" (the first product after it), "ffn-up",
// "ffn-activation", "ffn-down" (the next products, the wider one first), "norm", "residual",
// "embedding", "head" (products after the last block), "cache". Steps that belong to the same
// block carry the layer's number ("0", "1", ...). Without attention the role is the kind of work.
void assign_roles(const Plan& plan, std::span<ProfiledOperator> operators);

}  // namespace edgewright
