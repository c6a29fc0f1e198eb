#pragma once

#include <string>

#include "base/progress.h"
#include "edgewright/profile.h"
#include "profile/far_runs.h"
#include "profile/roofline.h"
#include "runtime/plan.h"

namespace edgewright {

// What a step does when its circumstances change. Times in microseconds; 0: not tried.
struct Response {
  double in_place_us = 0;  // within the model's run
  double alone_us = 0;     // again and again on the same data: as near as the caches can hold it
  double far_us = 0;       // with all that the model's other steps move in between: weights are far
  double moving_us = 0;    // only reading and writing its bytes, likewise again and again
  double twice_us = 0;     // alone, with twice the batch
  double eight_us = 0;     // with eight times the batch, where twice hardly took longer
  double longer_us = 0;    // alone, with sums of twice the length, where eight hardly took longer
  double threads_us = 0;   // alone, with one thread more
  double empty_us = 0;     // a kernel that does nothing
  double peak_us = 0;      // its arithmetic alone, at the measured peak
};

// What a step is tried against: `others_bytes` is what the other steps read and write meanwhile.
struct Surroundings {
  double in_place_us = 0;
  const OtherData* others = nullptr;
  double others_bytes = 0;
};

// Runs the step's kernel by itself, with other data in between, with twice the batch, longer sums
// and one thread more, and moves as many bytes. Steps that no prepared kernel runs are only
// compared with the move.
Result<Response> respond(const Plan& plan, const PlanStep& step, const Work& work,
                         const Surroundings& around, const Roofs& roofs, const MoveKernels& move);

// What the response speaks for: "memory" when moving the bytes, and waiting for them both in the
// run and where other data was in between, takes half of the run's time and more than the
// arithmetic would at its measured peak; "overhead" when the time hardly grows with the batch
// (products take rows in blocks, so that a second row may be free: an eighth is not) nor with the
// length of the sums (one addition waits for the one before), or is that of an empty kernel; else
// "compute".
std::string bound_by_experiment(const Response& response);
std::string describe(const Response& response);

// Whether the model's bound ("compute", "overhead", or a level of memory) is the one seen.
bool agrees(std::string_view modelled_bound, std::string_view seen);

// Tries every operator that takes over `smallest_share` of the time, and writes what was seen into
// its row. Returns the share of them whose verdict holds.
Result<double> confirm(const Plan& plan, const Roofs& roofs, const MoveKernels& move,
                       double smallest_share, std::vector<ProfiledOperator>& operators,
                       const Progress& progress);

}  // namespace edgewright
