#pragma once

#include <span>

#include "runtime/plan.h"

namespace edgewright {

// Gives every value of a plan its storage from the lifetimes of the values: one arena, outputs in
// the caller's tensors, results over dead inputs where the implementation allows it. `alias_of`
// names, per value, the value whose bytes it shares, or -1. Sets scratch offsets, heap releases and
// the plan's sizes, and lets go of constants that no step reads.
void place_values(Plan& plan, std::span<const int32_t> alias_of);

// Whether every part of this Concat or Split lies inside of the whole, so that the step moves
// nothing. False for other operators.
bool parts_lie_in_place(const Plan& plan, const PlanStep& step);

}  // namespace edgewright
