#pragma once

#include <string>
#include <vector>

#include "edgewright/profile.h"
#include "profile/trace/trace.h"

namespace edgewright {

// One run of a profile as a trace: the run, in it the layers of a transformer, in them the
// operators; counters of the rate of arithmetic, the bandwidth and the bytes alive.
Trace timeline_of(const ProfileReport& report);

// One line per operator, comma-separated, units in the headings.
std::string operators_csv(const ProfileReport& report);

// The form that a file's ending asks for: .json Chrome trace, .perfetto-trace or .pftrace Perfetto,
// .csv operators. kUsage naming these for any other.
Result<std::string> exported(const ProfileReport& report, std::string_view path);
// Writes each file and lists it in the report.
Status write_exports(const std::vector<std::string>& paths, ProfileReport& report);

}  // namespace edgewright
