#pragma once

#include <string>

#include "edgewright/profile.h"

namespace edgewright {

// Where the time of a request to a language model goes: the prompt, then token after token.
// kUnsupported for what only graphs have: --device, --confirm, --apply, --batches.
Result<ProfileReport> profile_language_model(const std::string& path,
                                             const ProfileOptions& options);

}  // namespace edgewright
