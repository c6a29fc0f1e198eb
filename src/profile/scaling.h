#pragma once

#include <span>

#include "edgewright/profile.h"
#include "profile/far_runs.h"
#include "profile/pace.h"
#include "runtime/plan.h"

namespace edgewright {

// What changes for every operator at once.
struct Change {
  int threads = 0;    // 0: as the plan has it
  int64_t batch = 1;  // the first dimension becomes so many times as large
};

// What is known of the run before the change.
struct KnownRun {
  std::span<const ProfiledOperator> operators;  // of the plan's steps
  double overhead_us = 0;
  double weights_bytes = 0, values_bytes = 0;  // that one run goes through
  // What the meter said around those runs: what is tried later may meet another pace.
  PaceMeter* pace = nullptr;
  double pace_us = 0;
};

// Time of one inference after the change, from trying the kernels of the operators that take most
// of it, each distinct one once, before and after. With other threads they are tried alone; with
// another batch after reading as many bytes as the rest of the run moves, because a batch moves
// more and then finds less of its weights near, and of these as many after its operands were
// written as in the run. What they wait for in the run beyond that is for weights and data, of
// which the latter grow with the batch. Operators that are not tried (those below
// `smallest_share`, and those without a kernel) are taken to scale like the rest of their kind
// (mostly of weights or not), and like the batch where none was tried.
Result<double> predict_change(const Plan& plan, const KnownRun& run, const Change& change,
                              const MoveKernels& move, double smallest_share);

}  // namespace edgewright
