#pragma once

#include <string>
#include <string_view>

#include "profile/trace/trace.h"

namespace edgewright {

// Perfetto's protobuf traces, the part of them that says what ran when: track descriptors, track
// events and counters, with names inline or interned (protos/perfetto/trace/*.proto).
bool is_perfetto_trace(std::string_view head);
Result<Trace> parse_perfetto_trace(std::string_view text);
// Slices on named tracks under one process, counters with their units, numbers and words as
// annotations.
std::string to_perfetto(const Trace& trace);

}  // namespace edgewright
