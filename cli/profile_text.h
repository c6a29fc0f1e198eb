#pragma once

#include <string>

#include "edgewright/profile.h"

namespace edgewright::cli {

// What `profile` prints; `top` operators at most.
std::string profile_text(const ProfileReport& report, size_t top);
std::string import_text(const ImportReport& report, size_t top);
std::string comparison_text(const ProfileComparison& comparison, size_t top);

}  // namespace edgewright::cli
