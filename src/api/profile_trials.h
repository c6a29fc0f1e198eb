#pragma once

#include <string>
#include <vector>

#include "device/roofs.h"
#include "edgewright/profile.h"
#include "profile/pace.h"
#include "runtime/session.h"

namespace edgewright {

// What trials are compared with: the model as it is, at the wall time that the report tells.
struct TrialBase {
  Session* session = nullptr;
  const std::vector<Datum>* inputs = nullptr;
  double wall_us = 0;
  // The machine's, and what it said around those runs.
  PaceMeter* pace = nullptr;
  double pace_us = 0;
};

// kUsage where what weighs batches is no weight, or stands without batches.
Status check_batch_options(const ProfileOptions& options);

// Measures the batch sizes of the options, finds the best for their costs and measures that too.
Status measure_batches(const std::string& path, const ProfileOptions& options,
                       const TrialBase& base, ProfileReport& report);

// Tries what this tool can do by itself: predicted from the kernels by themselves, then run. Needs
// the base's pace.
Status apply_advice(const std::string& path, const ProfileOptions& options, const Roofs& roofs,
                    const TrialBase& base, ProfileReport& report);

}  // namespace edgewright
