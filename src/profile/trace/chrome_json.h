#pragma once

#include <string>
#include <string_view>

#include "profile/trace/trace.h"

namespace edgewright {

// Chrome's trace event format (JSON): complete events ("X"), begin/end pairs, counters, names of
// threads. Times in microseconds.
bool is_chrome_json(std::string_view head);
Result<Trace> parse_chrome_json(std::string_view text);
std::string to_chrome_json(const Trace& trace);

}  // namespace edgewright
